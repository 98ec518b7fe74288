//! The source `aws-secrets-manager`: with whose credentials a real moto is asked, in which region, and where.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "a test may stop")]

#[path = "common/cluster.rs"]
mod cluster;
mod common;
#[path = "common/home.rs"]
mod home;
#[path = "aws/moto.rs"]
mod moto;
#[path = "aws/stand_in.rs"]
mod stand_in;
#[path = "aws/user.rs"]
mod user;

use common::{KEYS, lock, program};
use moto::{Moto, REGION};
use serde_json::json;
use stand_in::{Request, Response, StandIn};
use user::{ID, TOKEN, User, object, one_get, signed, store, witness};

// --- as whom ---

#[test]
fn the_variables_come_first_and_a_session_token_is_signed() {
    let witness = witness();
    let mut user = User::of_secret("login/env", &KEYS[..1])
        .behind(&witness)
        .aws("", "[default]\naws_access_key_id = AKIDOFDEFAULT\naws_secret_access_key = c4nary-default\n");
    user.set("AWS_SESSION_TOKEN", TOKEN);
    user.delivers(&KEYS[..1]);
    assert_eq!(signed(&witness), one_get(ID, REGION));
    let seen = &witness.seen()[0];
    assert_eq!(seen.header("x-amz-security-token"), Some(TOKEN));
    let signature = seen.header("authorization").unwrap();
    let names = "SignedHeaders=content-type;host;x-amz-date;x-amz-security-token;x-amz-target,";
    assert!(signature.contains(names), "{signature}");

    user.unset("AWS_SECRET_ACCESS_KEY");
    user.fails(&["AWS_ACCESS_KEY_ID is set, and AWS_SECRET_ACCESS_KEY is not"]);
}

#[test]
fn a_profile_of_keyring_yaml_is_the_only_one_that_counts() {
    Moto::shared().secret("login/profile", &object(&KEYS[..1]));
    let witness = witness();
    let user = User::new("secret: login/profile, profile: prod").locked(&KEYS[..1]).behind(&witness).aws(
        "[profile prod]\nregion = eu-west-1\n[profile bare]\nregion = x\n",
        "[prod]\naws_access_key_id = AKIDOFPROD\naws_secret_access_key = c4nary-prod\naws_session_token = c4nary-t\n",
    );
    user.delivers(&KEYS[..1]);
    // AWS_REGION wins over the profile's region.
    assert_eq!(signed(&witness), one_get("AKIDOFPROD", REGION));

    for (profile, words) in [
        ("none", ["there is no profile `none`", "list-profiles"]),
        ("bare", ["profile `bare` names no credentials", "aws configure --profile bare"]),
    ] {
        let config = user.home.read("keyring.yaml").replace("profile: prod", &format!("profile: {profile}"));
        user.home.write("keyring.yaml", &config);
        user.fails(&words);
        user.home.write("keyring.yaml", &config.replace(&format!("profile: {profile}"), "profile: prod"));
    }
    Moto::shared().call("DeleteSecret", &json!({"SecretId": "login/profile", "ForceDeleteWithoutRecovery": true}));
    user.fails(&["login: profile prod"]);
}

#[test]
fn aws_profile_is_for_those_without_variables() {
    let witness = witness();
    let mut user = User::of_secret("login/ambient", &KEYS[..1]).behind(&witness).anonymous().aws(
        "",
        "[default]\naws_access_key_id = AKIDOFDEFAULT\naws_secret_access_key = c4nary-d\n\
         [other]\naws_access_key_id = AKIDOFOTHER\naws_secret_access_key = c4nary-o\n",
    );
    user.delivers(&KEYS[..1]);
    user.set("AWS_PROFILE", "other");
    user.delivers(&KEYS[..1]);
    user.set("AWS_PROFILE", "none");
    user.fails(&["there is no profile `none`"]);
    let ids: Vec<String> = signed(&witness).into_iter().map(|(_, id, _)| id).collect();
    assert_eq!(ids, ["AKIDOFDEFAULT", "AKIDOFOTHER"]);
}

#[test]
fn a_program_may_print_credentials() {
    let witness = witness();
    let user = User::of_secret("login/process", &KEYS[..1]).behind(&witness).anonymous();
    let script = |text: &str| {
        program(&user.home.path().join("my tools/give.sh"), &format!("#!/bin/sh\n{text}\n"));
    };
    let path = user.home.path().join("my tools/give.sh").display().to_string();
    user.home.write(".aws/config", &format!("[default]\ncredential_process = \"{path}\" 'c4nary arg' $HOME\n"));
    script(
        "[ \"$1 $2\" = 'c4nary arg $HOME' ] || exit 9\n\
         echo '{\"Version\": 1, \"AccessKeyId\": \"AKIDOFPROCESS\", \"SecretAccessKey\": \"c4nary-p\", \"SessionToken\": \"c4nary-q\"}'",
    );
    user.delivers(&KEYS[..1]);
    assert_eq!(signed(&witness), one_get("AKIDOFPROCESS", REGION));
    for (text, word) in [
        ("echo '{\"Version\": 2}'", "printed no `\"Version\": 1`"),
        ("echo '{\"Version\": 1}'", "printed no AccessKeyId"),
        ("echo c4nary", "printed what is no JSON object"),
        ("echo c4nary-long; echo c4nary-long is wrong >&2; exit 3", "failed with exit code 3: *** is wrong"),
    ] {
        script(text);
        user.fails(&[word, "the credential_process of profile `default`"]);
    }
}

#[test]
fn a_role_is_taken_on_with_the_credentials_of_another_profile() {
    let witness = witness();
    let mut user = User::of_secret("login/role", &KEYS[..1]).behind(&witness).anonymous().aws(
        "[default]\nrole_arn = arn:aws:iam::123456789012:role/reader\nsource_profile = base\nexternal_id = an id/+\n\
         role_session_name = a-session\n\
         [profile env]\nrole_arn = arn:aws:iam::123456789012:role/reader\ncredential_source = Environment\n\
         [profile a]\nrole_arn = arn:aws:iam::123456789012:role/a\nsource_profile = b\n\
         [profile b]\nrole_arn = arn:aws:iam::123456789012:role/b\nsource_profile = a\n\
         [profile mfa]\nrole_arn = arn:aws:iam::123456789012:role/b\nsource_profile = base\nmfa_serial = x\n\
         [profile sso]\nsso_session = x\nsso_account_id = 1\n",
        "[base]\naws_access_key_id = AKIDOFBASE\naws_secret_access_key = c4nary-base\n",
    );
    user.delivers(&KEYS[..1]);
    let seen = witness.seen();
    assert_eq!((seen[0].action().as_str(), seen[0].signed()), ("AssumeRole", Some(("AKIDOFBASE", REGION))));
    let form = String::from_utf8(seen[0].body.clone()).unwrap();
    for part in [
        "&RoleArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Freader&",
        "&RoleSessionName=a-session",
        "&ExternalId=an%20id%2F%2B",
    ] {
        assert!(form.contains(part), "{form}");
    }
    assert_eq!(seen[1].action(), "GetSecretValue");
    assert!(seen[1].signed().unwrap().0.starts_with("ASIA") && seen[1].header("x-amz-security-token").is_some());

    for (profile, words) in [
        ("a", ["go in a circle", "source_profile"]),
        ("mfa", ["mfa_serial", "aws configure export-credentials --profile mfa"]),
        ("sso", ["logs in through a browser", "aws configure export-credentials --profile sso --format env"]),
        ("env", ["no credentials with which profile `env`", "credential_source"]),
    ] {
        user.set("AWS_PROFILE", profile);
        user.fails(&words);
    }
}

#[test]
fn a_web_identity_takes_on_a_role_unsigned() {
    let witness = witness();
    let mut user = User::of_secret("login/web", &KEYS[..1]).behind(&witness).anonymous();
    user.home.write("token", "c4nary.web.identity\n");
    user.set("AWS_WEB_IDENTITY_TOKEN_FILE", &user.home.path().join("token").display().to_string());
    user.fails(&["AWS_ROLE_ARN is not"]);
    user.set("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/pod");
    user.set("AWS_ROLE_SESSION_NAME", "pod-1");
    user.delivers(&KEYS[..1]);
    let seen = witness.seen();
    assert_eq!(seen[0].action(), "AssumeRoleWithWebIdentity");
    assert!(seen[0].header("authorization").is_none() && seen[0].header("x-amz-security-token").is_none());
    let form = String::from_utf8(seen[0].body.clone()).unwrap();
    assert!(form.contains("&RoleSessionName=pod-1&WebIdentityToken=c4nary.web.identity"), "{form}");
    assert!(seen[1].signed().unwrap().0.starts_with("ASIA"));

    let refused = "<ErrorResponse><Error><Type>Sender</Type><Code>InvalidIdentityToken</Code>\
                   <Message>no &lt;issuer&gt; for c4nary.web.identity</Message></Error></ErrorResponse>";
    let sts = StandIn::new(move |_| Response::of(400, refused));
    user.set("AWS_ENDPOINT_URL_STS", &sts.url());
    user.fails(&[
        "taking on arn:aws:iam::123456789012:role/pod failed",
        "400 InvalidIdentityToken: no <issuer> for ***",
        "audience and subject",
    ]);
    user.set("AWS_WEB_IDENTITY_TOKEN_FILE", "/nowhere");
    user.fails(&["the web identity's token cannot be read from /nowhere"]);
}

/// The stand-in for the container's own address says that it is one: nothing else of AWS is in it.
#[test]
fn a_container_gets_credentials_for_its_token() {
    let witness = witness();
    let given = StandIn::new(|request| match (request.path.as_str(), request.header("authorization")) {
        ("/v1/credentials?x=1", Some("c4nary-pod-token")) => Response::of(
            200,
            r#"{"AccessKeyId":"AKIDOFPOD","SecretAccessKey":"c4nary-pod","Token":"c4nary-t","RoleArn":"arn:aws:iam::1:role/pod"}"#,
        ),
        _ => Response::of(401, r#"{"message":"no c4nary-wrong-token here"}"#),
    });
    let mut user = User::of_secret("login/pod", &KEYS[..1]).behind(&witness).anonymous();
    user.set("AWS_CONTAINER_CREDENTIALS_FULL_URI", &format!("{}/v1/credentials?x=1", given.url()));
    user.home.write("token", "c4nary-pod-token");
    user.set("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", &user.home.path().join("token").display().to_string());
    user.delivers(&KEYS[..1]);
    assert_eq!(signed(&witness), one_get("AKIDOFPOD", REGION));

    user.unset("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
    user.set("AWS_CONTAINER_AUTHORIZATION_TOKEN", "c4nary-wrong-token");
    user.fails(&["answered 401 no *** here", "Pod Identity association"]);
    user.set("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://example.com/v1/credentials");
    user.fails(&["one that anybody could answer at"]);
}

/// The stand-in for EC2's metadata service, version 2.
#[test]
fn a_machine_of_ec2_has_a_role_and_a_region() {
    let witness = witness();
    let machine = StandIn::new(|request| {
        let roles = "/latest/meta-data/iam/security-credentials/";
        let is_known = request.header("x-aws-ec2-metadata-token") == Some("c4nary-imds-token");
        match (request.method.as_str(), request.path.as_str()) {
            ("PUT", "/latest/api/token") if request.header("x-aws-ec2-metadata-token-ttl-seconds").is_some() => {
                Response::of(200, "c4nary-imds-token")
            }
            _ if !is_known => Response::of(401, ""),
            ("GET", path) if path == roles => Response::of(200, "a-role"),
            ("GET", path) if path == format!("{roles}a-role") => Response::of(
                200,
                r#"{"Code":"Success","AccessKeyId":"AKIDOFMACHINE","SecretAccessKey":"c4nary-m","Token":"c4nary-t"}"#,
            ),
            ("GET", "/latest/meta-data/placement/region") => Response::of(200, REGION),
            _ => Response::of(404, ""),
        }
    });
    let mut user = User::of_secret("login/machine", &KEYS[..1]).behind(&witness).anonymous();
    user.unset("AWS_REGION");
    user.fails(&["there are no credentials"]);
    user.unset("AWS_EC2_METADATA_DISABLED");
    user.set("AWS_EC2_METADATA_SERVICE_ENDPOINT", &machine.url());
    user.delivers(&KEYS[..1]);
    assert_eq!(signed(&witness), one_get("AKIDOFMACHINE", REGION));
    Moto::shared().call("DeleteSecret", &json!({"SecretId": "login/machine", "ForceDeleteWithoutRecovery": true}));
    user.fails(&["login: EC2 instance role a-role", " in eu-central-1 at "]);
}

#[test]
fn where_no_machine_of_ec2_is_nobody_waits_long() {
    // Takes connections, and never answers.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut user = User::new("secret: login/nobody").locked(&KEYS[..1]).anonymous();
    user.unset("AWS_EC2_METADATA_DISABLED");
    let address = format!("http://{}", silent.local_addr().unwrap());
    user.set("AWS_EC2_METADATA_SERVICE_ENDPOINT", &address);
    let begun = std::time::Instant::now();
    user.fails(&["there are no credentials", "AWS_PROFILE"]);
    // The time that stores have is ten times as long.
    assert!(begun.elapsed().as_secs() < 15, "{:?}", begun.elapsed());
}

#[test]
fn all_secrets_of_an_account_share_one_login() {
    let witness = witness();
    let moto = Moto::shared();
    let of = |secret: &str| format!("{{aws-secrets-manager: {{secret: {secret}}}}}");
    let source = format!("{{byField: {{storage-key: {}, cookie-key: {}}}}}", of("shared/a"), of("shared/b"));
    moto.secret("shared/a", &json!({"storage-key": KEYS[0]}).to_string());
    moto.secret("shared/b", &json!({"cookie-key": KEYS[1]}).to_string());
    let home = store(&source);
    lock(home.path(), "store/production", "profile.yaml", &[("storage-key", 0, KEYS[0]), ("cookie-key", 0, KEYS[1])]);
    let user = User::with(home).behind(&witness).anonymous().aws(
        "[default]\nrole_arn = arn:aws:iam::123456789012:role/reader\nsource_profile = base\n",
        "[base]\naws_access_key_id = AKIDOFBASE\naws_secret_access_key = c4nary-base\n",
    );
    user.run("status -e production").done();
    let mut actions: Vec<String> = witness.seen().iter().map(Request::action).collect();
    actions.sort();
    assert_eq!(actions, ["AssumeRole", "GetSecretValue", "GetSecretValue"]);
}

// --- where ---

#[test]
fn the_region_is_the_first_that_is_named() {
    let aws = "[default]\nregion = eu-south-1\n";
    let arn = "arn:aws:secretsmanager:eu-north-1:123456789012:secret:region/x-AbCdEf";
    let asked = |source: &str, variables: &[(&str, &str)]| {
        let witness = StandIn::new(|_| Response::of(400, r#"{"__type":"X","message":"seen"}"#));
        let mut user = User::new(source).locked(&KEYS[..1]).aws(aws, "").behind(&witness);
        user.unset("AWS_REGION");
        variables.iter().for_each(|(name, value)| user.set(name, value));
        user.fails(&["answered 400 X: seen"]);
        signed(&witness)[0].2.clone()
    };
    let both = [("AWS_REGION", "us-east-1"), ("AWS_DEFAULT_REGION", "us-east-2")];
    assert_eq!(asked(&format!("secret: '{arn}', region: eu-west-1"), &both), "eu-west-1");
    assert_eq!(asked(&format!("secret: '{arn}'"), &both), "eu-north-1");
    assert_eq!(asked("secret: x", &both), "us-east-1");
    assert_eq!(asked("secret: x", &both[1..]), "us-east-2");
    assert_eq!(asked("secret: x", &[]), "eu-south-1");

    let mut user = User::new("secret: x").locked(&KEYS[..1]);
    user.unset("AWS_REGION");
    user.fails(&["no region is known", "AWS_REGION"]);
    user.set("AWS_REGION", "x.example.com/");
    user.fails(&["no name of one"]);
    let two = arn.replace("eu-north-1", "eu-north-2");
    let source = format!("{{aws-secrets-manager: {{secrets: {{storage-key: '{arn}', cookie-key: '{two}'}}}}}}");
    let run = User::with(store(&source)).run("lock -e production");
    run.refused(3, "source-failed");
    assert!(run.stderr.contains("an ARN is of eu-north-1, but eu-north-2 is asked"), "{}", run.stderr);
}

#[test]
fn the_endpoint_is_the_first_that_is_named() {
    Moto::shared().secret("where/endpoint", &object(&KEYS[..1]));
    let (right, wrong) = (Moto::shared().url(), "http://127.0.0.1:9".to_owned());
    let aws = |endpoint: &str, of_services: &str| {
        format!(
            "[default]\nendpoint_url = {endpoint}\nservices = local\n[services local]\nsecrets_manager =\n  endpoint_url = {of_services}\n"
        )
    };
    let ask = |source: &str, variables: &[(&str, &str)], config: &str| {
        let mut user = User::new(&format!("secret: where/endpoint{source}")).locked(&KEYS[..1]).aws(config, "");
        user.unset("AWS_ENDPOINT_URL");
        variables.iter().for_each(|(name, value)| user.set(name, value));
        user.delivers(&KEYS[..1]);
    };
    let all_wrong = aws(&wrong, &wrong);
    let (of_all, of_one) = ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_SECRETS_MANAGER");
    ask(&format!(", endpoint: '{right}'"), &[(of_all, &wrong), (of_one, &wrong)], &all_wrong);
    ask("", &[(of_all, &wrong), (of_one, &right)], &all_wrong);
    ask("", &[(of_all, &right)], &all_wrong);
    ask("", &[], &aws(&wrong, &right));
    ask("", &[], &format!("[default]\nendpoint_url = {right}\n"));
    // Without TLS to what is not this machine by its name.
    let anywhere = right.replace("127.0.0.1", "0.0.0.0");
    let run = User::new(&format!("secret: where/endpoint, endpoint: '{anywhere}'")).locked(&KEYS[..1]).render();
    assert!(run.done().stderr.contains("warning[plain-http]: AWS secret where/endpoint"), "{}", run.stderr);
}

#[test]
fn a_ca_of_ones_own_must_be_one() {
    let mut user = User::new("secret: where/ca").locked(&KEYS[..1]);
    user.home.write("no-ca.pem", "nothing\n");
    user.set("AWS_CA_BUNDLE", &user.home.path().join("no-ca.pem").display().to_string());
    user.fails(&["no-ca.pem holds no certificate"]);
    user.unset("AWS_CA_BUNDLE");
    user.aws("[default]\nca_bundle = /nowhere.pem\n", "").fails(&["the CA file /nowhere.pem cannot be read"]);
}

#[test]
fn a_ca_of_ones_own_is_trusted_and_no_other() {
    let mut user = User::new("secret: where/tls").locked(&KEYS[..1]);
    let moto = Moto::with_tls(user.home.path());
    user.set("AWS_ENDPOINT_URL", &moto.url());
    user.fails(&["its certificate is refused", "AWS_CA_BUNDLE"]);
    let ca = user.home.path().join("ca.pem").display().to_string();
    user.set("AWS_CA_BUNDLE", &ca);
    user.fails(&["404 ResourceNotFoundException"]);
    user.unset("AWS_CA_BUNDLE");
    user.aws(&format!("[default]\nca_bundle = {ca}\n"), "").fails(&["404 ResourceNotFoundException"]);
}
