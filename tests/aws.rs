//! The source `aws-secrets-manager` against a real moto: what is read, how a key is added, and what is said of a failure.
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

use std::sync::{Arc, Mutex};

use common::KEYS;
use home::{STREAM, keys_in, secret};
use moto::{Moto, REGION};
use serde_json::json;
use stand_in::{Request, Response, StandIn};
use user::{ID, SECRET, User, object, one_get, signed, store, witness};

// --- what a secret holds ---

#[test]
fn all_keys_of_a_secret_come_in_one_request() {
    let witness = witness();
    let user = User::of_secret("read/json", &KEYS[..3]).behind(&witness);
    user.delivers(&KEYS[..3]);
    assert_eq!(signed(&witness), one_get(ID, REGION));
    let run = user.run_on("render -e production --stats", &STREAM.replace("@KEY@", "x"));
    assert!(
        run.stderr.contains("1 place fetched with 1 request") && run.stderr.contains("aws get 1"),
        "{}",
        run.stderr
    );
    assert!(run.stderr.contains("AWS secret read/json in eu-central-1 at http://127.0.0.1:"), "{}", run.stderr);
}

#[test]
fn a_name_in_the_store_and_an_encoding_are_those_of_keyring_yaml() {
    use base64::Engine as _;
    let encoded = base64::engine::general_purpose::STANDARD.encode(KEYS[0]);
    let arn = Moto::shared().secret("read/names", &json!({"k0": encoded, "other": 1}).to_string());
    let user = User::new(&format!("secret: '{arn}', fields: {{'encryption-key-{{n}}': 'k{{n}}'}}, encoding: base64"));
    user.locked(&KEYS[..1]).delivers(&KEYS[..1]);
}

#[test]
fn one_secret_a_key_is_asked_for_until_no_more_are_there() {
    for count in 1..=4 {
        for (n, key) in KEYS.iter().enumerate().take(count) {
            match n % 2 {
                0 => drop(Moto::shared().secret(&format!("each{count}/{n}"), key)),
                _ => Moto::shared().binary(&format!("each{count}/{n}"), key.as_bytes()),
            }
        }
        let witness = witness();
        let user = User::new(&format!("secrets: {{'encryption-key-{{n}}': 'each{count}/{{n}}'}}")).behind(&witness);
        user.locked(&KEYS[..count]).delivers(&KEYS[..count]);
        // One round, and another where its end might be a gap.
        assert_eq!(witness.seen().len(), if count < 3 { 4 } else { 8 }, "{count}");
    }
}

#[test]
fn a_gap_is_no_end() {
    // 3 would end the first round.
    for (set, there) in [("gap-a", [0, 2].as_slice()), ("gap-b", &[0, 1, 2, 4])] {
        there.iter().for_each(|n| drop(Moto::shared().secret(&format!("{set}/{n}"), KEYS[0])));
        let user = User::new(&format!("secrets: {{'encryption-key-{{n}}': '{set}/{{n}}'}}")).locked(&KEYS[..1]);
        let run = user.render();
        assert!(run.code != 0 && run.stdout.is_empty(), "{}", run.stderr);
        assert!(run.stderr.contains("runs from 0 without a gap"), "{}", run.stderr);
    }
}

#[test]
fn fixed_fields_have_a_secret_each() {
    let secrets = "storage-key: fixed/new, storage-key-previous: fixed/old, cookie-key: fixed/cookie";
    for (name, key) in [("fixed/new", KEYS[1]), ("fixed/old", KEYS[0]), ("fixed/cookie", KEYS[2])] {
        Moto::shared().secret(name, key);
    }
    let user = User::with(store(&format!("{{aws-secrets-manager: {{secrets: {{{secrets}}}}}}}")));
    user.run("lock -e production").done();
    let status = user.run("status -e production");
    for field in ["storage-key", "storage-key-previous", "cookie-key"] {
        assert!(status.done().stdout.contains(field), "{}", status.stdout);
    }
    Moto::shared().call("DeleteSecret", &json!({"SecretId": "fixed/old"}));
    let run = user.run("status -e production");
    assert!(run.stderr.contains("aws secretsmanager restore-secret --secret-id fixed/old"), "{}", run.stderr);
}

#[test]
fn a_version_or_a_stage_can_be_fixed() {
    let moto = Moto::shared();
    moto.secret("read/versions", &object(&KEYS[..1]));
    let second = moto.version("read/versions", &object(&KEYS[..2]));
    moto.version("read/versions", &object(&KEYS[..3]));
    let stage = |stage: &str| User::new(&format!("secret: read/versions, stage: {stage}"));
    User::new("secret: read/versions").locked(&KEYS[..3]).delivers(&KEYS[..3]);
    stage("AWSCURRENT").locked(&KEYS[..3]).delivers(&KEYS[..3]);
    stage("AWSPREVIOUS").locked(&KEYS[..2]).delivers(&KEYS[..2]);
    User::new(&format!("secret: read/versions, version: {second}")).locked(&KEYS[..2]).delivers(&KEYS[..2]);
    stage("none").locked(&KEYS[..1]).fails(&["ResourceNotFoundException"]);
    User::new("secret: read/versions, version: 00000000-0000-4000-8000-000000000000")
        .locked(&KEYS[..1])
        .fails(&["ResourceNotFoundException", "list-secret-version-ids --secret-id read/versions"]);
}

#[test]
fn what_is_no_ring_is_said_without_its_words() {
    let moto = Moto::shared();
    for (name, text, words) in [
        ("odd/text", "c4nary of no object", ["is no JSON object", "secrets: {FIELD: NAME}"]),
        ("odd/list", "[\"c4nary\"]", ["is a list", "JSON object"]),
        ("odd/number", "{\"encryption-key-0\": 123456789}", ["`encryption-key-0` is a number", "in quotes"]),
        ("odd/null", "{\"encryption-key-0\": null}", ["`encryption-key-0` is null", "put the key there"]),
        ("odd/empty", "{\"encryption-key-0\": \"\"}", ["`encryption-key-0` is empty", ""]),
        ("odd/other", "{\"a\": \"c4nary\"}", ["has no `encryption-key-0`", "one member"]),
        ("odd/twice", "{\"a\": \"c4nary\", \"a\": \"c4nary\"}", ["holds a member twice", ""]),
    ] {
        moto.secret(name, text);
        User::new(&format!("secret: {name}")).locked(&KEYS[..1]).fails(&words);
    }
    moto.binary("odd/binary", b"c4nary");
    User::new("secret: odd/binary").locked(&KEYS[..1]).fails(&["SecretBinary", "secrets: {FIELD: NAME}"]);
    User::new("secret: odd/none").locked(&KEYS[..1]).fails(&[
        "AWS secret odd/none in eu-central-1 at http://127.0.0.1:",
        ": answered 404 ResourceNotFoundException",
        "list-secrets --region eu-central-1",
        "login: the variables AWS_ACCESS_KEY_ID",
    ]);
    moto.secret("odd/deleted", &object(&KEYS[..1]));
    moto.call("DeleteSecret", &json!({"SecretId": "odd/deleted"}));
    User::new("secret: odd/deleted")
        .locked(&KEYS[..1])
        .fails(&["InvalidRequestException", "aws secretsmanager restore-secret --secret-id odd/deleted"]);
}

// --- one more key ---

#[test]
fn a_rotation_is_read_back_and_leaves_no_label() {
    let moto = Moto::shared();
    let before =
        r#"{"url": "https://x/?a=1&b", "encryption-key-0": "iLLJ3XHb1IDM8PH4HYyTQfKoTzRpPsFYtrzSPL7n5Vw=", "n": 1.10}"#;
    moto.secret("write/json", before);
    let witness = witness();
    let user = User::new("secret: write/json").locked(&KEYS[..1]).behind(&witness);
    user.run("rotate -e production --dry-run").done();
    assert_eq!(moto.text("write/json", "AWSCURRENT"), before);
    user.run("rotate -e production").done();

    let keys = keys_in(&user.render().done().stdout);
    assert_eq!((keys.len(), keys[0].as_str()), (2, KEYS[0]));
    let after = format!(
        "{{\"url\":\"https://x/?a=1&b\",\"encryption-key-0\":\"{}\",\"n\":1.10,\"encryption-key-1\":\"{}\"}}",
        keys[0], keys[1]
    );
    assert_eq!(moto.text("write/json", "AWSCURRENT"), after);
    assert_eq!(moto.text("write/json", "AWSPREVIOUS"), before);
    assert_eq!(moto.labels("write/json"), ["AWSCURRENT", "AWSPREVIOUS"]);
    assert_eq!(user.home.lines(), 2);

    // Never made current before it was read back.
    let actions: Vec<String> = witness.seen().iter().map(Request::action).collect();
    let written = actions.iter().map(String::as_str).skip_while(|action| *action != "PutSecretValue");
    let expected = [
        "PutSecretValue",
        "GetSecretValue",
        "UpdateSecretVersionStage",
        "GetSecretValue",
        "UpdateSecretVersionStage",
        "GetSecretValue",
    ];
    assert_eq!(written.take(6).collect::<Vec<_>>(), expected);
}

#[test]
fn of_two_rotations_at_once_one_wins_and_nothing_is_lost() {
    let moto = Moto::shared();
    moto.secret("write/race", &object(&KEYS[..1]));
    let other = User::new("secret: write/race").locked(&KEYS[..1]);
    let lock_of_other = other.home.path().join("keyring.lock");
    // While the one has read and is about to write, the other does all of it.
    let other = Mutex::new(Some(other));
    let server = StandIn::new(move |request| {
        if request.action() == "PutSecretValue"
            && let Some(other) = other.lock().unwrap().as_ref()
            && other.home.lines() == 1
        {
            other.run("rotate -e production").done();
        }
        Moto::shared().forward(request)
    });
    let user = User::new("secret: write/race").locked(&KEYS[..1]).behind(&server);
    let lock_before = user.home.read("keyring.lock");
    let lost = user.run("rotate -e production");
    lost.refused(3, "not-written");
    assert!(lost.stderr.contains("somebody else has written since it was read"), "{}", lost.stderr);
    assert!(lost.stderr.contains("nothing of ours became so"), "{}", lost.stderr);
    assert_eq!(user.home.read("keyring.lock"), lock_before);
    assert_eq!(moto.labels("write/race"), ["AWSCURRENT", "AWSPREVIOUS"]);

    // With the winner's lock, as git brings it, it works.
    user.home.write("keyring.lock", &std::fs::read_to_string(lock_of_other).unwrap());
    assert_eq!(keys_in(&user.render().done().stdout).len(), 2);
    user.run("rotate -e production").done();
    let keys = keys_in(&user.render().done().stdout);
    assert_eq!((keys.len(), keys[0].as_str()), (3, KEYS[0]));
}

#[test]
fn an_answer_that_was_lost_is_looked_for() {
    let user = User::of_secret("write/lost", &KEYS[..1]);
    let failed = Mutex::new(0);
    // The move is done, but nobody hears of it.
    let server = StandIn::new(move |request| {
        let response = Moto::shared().forward(request);
        let is_move = String::from_utf8_lossy(&request.body).contains("MoveToVersionId");
        if is_move {
            *failed.lock().unwrap() += 1;
            return Response::of(500, "{}");
        }
        response
    });
    let user = user.behind(&server);
    user.run("rotate -e production").done();
    assert_eq!(keys_in(&user.render().done().stdout).len(), 2);
}

#[test]
fn what_does_not_arrive_as_it_was_written_never_becomes_current() {
    let user = User::of_secret("write/changed", &KEYS[..1]);
    let server = StandIn::new(|request| {
        let mut request = request.clone();
        if request.action() == "PutSecretValue" {
            let mut body: serde_json::Value = serde_json::from_slice(&request.body).unwrap();
            body["SecretString"] = "{}".into();
            request.body = body.to_string().into_bytes();
        }
        Moto::shared().forward(&request)
    });
    let user = user.behind(&server);
    let run = user.run("rotate -e production");
    run.refused(3, "not-written");
    assert!(run.stderr.contains("reads otherwise; it was not made current"), "{}", run.stderr);
    user.delivers(&KEYS[..1]);
    assert_eq!(Moto::shared().labels("write/changed"), ["AWSCURRENT"]);
}

#[test]
fn what_cannot_be_written_is_refused_before() {
    let moto = Moto::shared();
    let refused = |user: &User, words: &[&str]| {
        let run = user.run("rotate -e production");
        assert!(run.code != 0, "{}", run.stdout);
        words.iter().for_each(|word| assert!(run.stderr.contains(word), "no `{word}` in:\n{}", run.stderr));
    };
    moto.secret("write/each/0", KEYS[0]);
    let user = User::new("secrets: {'encryption-key-{n}': 'write/each/{n}'}").locked(&KEYS[..1]);
    refused(
        &user,
        &["not to one secret a key", "`encryption-key-1` with `aws secretsmanager create-secret --name write/each/1 "],
    );
    // A fixed field's key goes to the secret that is there, the old one to one that is not there yet.
    moto.secret("write/fix/new", KEYS[0]);
    moto.secret("write/fix/cookie", KEYS[1]);
    let secrets = "storage-key: write/fix/new, storage-key-previous: write/fix/old, cookie-key: write/fix/cookie";
    let user = User::with(store(&format!("{{aws-secrets-manager: {{secrets: {{{secrets}}}}}}}")));
    user.run("lock -e production").done();
    let run = user.run("rotate -e production --field storage-key");
    run.refused(3, "source-failed");
    for word in ["put-secret-value --secret-id write/fix/new ", "create-secret --name write/fix/old "] {
        assert!(run.stderr.contains(word), "no `{word}` in:\n{}", run.stderr);
    }

    moto.secret("write/fixed", &object(&KEYS[..1]));
    let version = moto.version("write/fixed", &object(&KEYS[..1]));
    let user = User::new(&format!("secret: write/fixed, version: {version}")).locked(&KEYS[..1]);
    refused(&user, &["fixes version"]);
    let user = User::new("secret: write/fixed, stage: AWSPREVIOUS").locked(&KEYS[..1]);
    refused(&user, &["the stage AWSPREVIOUS", "--version-stages AWSPREVIOUS"]);

    let long = json!({"encryption-key-0": KEYS[0], "x": "x".repeat(65_400)}).to_string();
    moto.secret("write/long", &long);
    refused(&User::new("secret: write/long").locked(&KEYS[..1]), &["Secrets Manager takes 65536"]);

    let user = User::of_secret("write/bytes", &KEYS[..1]);
    std::fs::write(user.home.path().join("new.key"), KEYS[1].bytes().take(32).map(|byte| !byte).collect::<Vec<u8>>())
        .unwrap();
    let run = user.run("rotate -e production --key-file new.key");
    run.refused(3, "source-failed");
    assert!(run.stderr.contains("encoding: base64"), "{}", run.stderr);
    assert_eq!(moto.text("write/bytes", "AWSCURRENT"), object(&KEYS[..1]));
}

#[test]
fn an_empty_secret_takes_its_first_key_and_none_is_made() {
    let user = User::new("secret: write/first");
    let adopt = || user.run_on("adopt -e production --from-file -", &secret(&[("encryption-key-0", KEYS[0])]));
    let run = adopt();
    run.refused(3, "source-failed");
    let make = "aws secretsmanager create-secret --name write/first --secret-string '{}'";
    assert!(run.stderr.contains(make), "{}", run.stderr);
    Moto::shared().secret("write/first", "{}");
    adopt().done();
    user.delivers(&KEYS[..1]);
}

/// A store that shows what was written a little later.
#[test]
fn what_is_seen_late_is_waited_for() {
    let user = User::of_secret("write/late", &KEYS[..1]);
    let stale = Mutex::new((0, 0));
    let server = StandIn::new(move |request| {
        let body = String::from_utf8_lossy(&request.body).into_owned();
        let mut stale = stale.lock().unwrap();
        if request.action() == "GetSecretValue" && body.contains("VersionId") && stale.0 < 2 {
            stale.0 += 1;
            return Response::of(404, r#"{"__type":"ResourceNotFoundException","message":"no secret value"}"#);
        }
        let is_moved = Moto::shared().labels("write/late").contains(&"AWSPREVIOUS".to_owned());
        if request.action() == "GetSecretValue" && body.contains("AWSCURRENT") && is_moved && stale.1 < 2 {
            stale.1 += 1;
            return Moto::shared()
                .forward(&Request { body: body.replace("AWSCURRENT", "AWSPREVIOUS").into(), ..request.clone() });
        }
        Moto::shared().forward(request)
    });
    let user = user.behind(&server);
    user.run("rotate -e production").done();
    assert_eq!(keys_in(&user.render().done().stdout).len(), 2);
}

// --- what AWS says ---

/// moto compares signatures with those of botocore, and asks policies.
#[test]
fn a_real_server_accepts_the_signature_and_refuses_others() {
    let moto = Moto::start();
    moto.secret("iam/keys", &object(&KEYS[..1]));
    moto.form("iam", "Action=CreateUser&Version=2010-05-08&UserName=reader");
    let policy = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"secretsmanager:GetSecretValue","Resource":"*"}]}"#;
    let policy: String = policy.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let put = "Action=PutUserPolicy&Version=2010-05-08&UserName=reader&PolicyName=read&PolicyDocument=";
    moto.form("iam", &format!("{put}{policy}"));
    let made = moto.form("iam", "Action=CreateAccessKey&Version=2010-05-08&UserName=reader");
    let element = |name: &str| {
        let (_, rest) = made.split_once(&format!("<{name}>")).unwrap();
        rest.split_once('<').unwrap().0.to_owned()
    };
    let (id, secret) = (element("AccessKeyId"), element("SecretAccessKey"));
    moto.check_credentials();

    let mut user = User::new("secret: iam/keys").locked(&KEYS[..1]);
    user.set("AWS_ENDPOINT_URL", &moto.url());
    user.fails(&["answered 403 ", "InvalidClientTokenId", "AWS does not know this access key"]);
    user.set("AWS_ACCESS_KEY_ID", &id);
    user.fails(&["SignatureDoesNotMatch", "does not belong to the access key id"]);
    user.set("AWS_SECRET_ACCESS_KEY", &secret);
    user.delivers(&KEYS[..1]);
    let run = user.run("rotate -e production");
    run.refused(3, "not-written");
    assert!(run.stderr.contains("AccessDenied"), "{}", run.stderr);
    assert!(run.stderr.contains("needs `secretsmanager:PutSecretValue` on secret iam/keys"), "{}", run.stderr);
    assert!(!run.stderr.contains(&secret), "{}", run.stderr);
}

#[test]
fn help_goes_with_what_aws_says() {
    let answer = |status: u16, body: &str| {
        let body = body.to_owned();
        StandIn::new(move |_| Response::of(status, &body))
    };
    let asked = |server: &StandIn, words: &[&str]| {
        User::new("secret: told/x").locked(&KEYS[..1]).behind(server).fails(words);
    };
    for (code, message, words) in [
        (
            "AccessDeniedException",
            "User: arn:aws:iam::1:user/x is not authorized to perform",
            ["needs `secretsmanager:GetSecretValue` on secret told/x", "`kms:Decrypt`"],
        ),
        ("AccessDeniedException", "Access to KMS is not allowed", ["KMS key, need `kms:Decrypt`", "Access to KMS"]),
        ("DecryptionFailure", "", ["KMS key enabled", "`kms:Decrypt`"]),
        (
            "com.amazonaws.secretsmanager#InvalidRequestException",
            "was marked for deletion",
            ["restore-secret --secret-id told/x", "400 InvalidRequestException: was marked"],
        ),
        ("UnrecognizedClientException", "The security token is invalid", ["does not know this access key", ""]),
        ("ExpiredTokenException", "expired", ["the credentials have expired", ""]),
        ("InvalidSignatureException", "no", ["does not belong to the access key id", ""]),
        ("Weird", &format!("{SECRET} \u{1b}[31m"), ["400 Weird: *** [31m", "check region, endpoint and name"]),
    ] {
        asked(&answer(400, &json!({"__type": code, "message": message}).to_string()), &words);
    }
    asked(&answer(200, "<html>c4nary</html>"), &["is no JSON object", "endpoint"]);
    asked(&answer(200, "{}"), &["without a value", "endpoint"]);
    asked(&answer(302, ""), &["answered 302"]);
}

#[test]
fn a_wrong_clock_is_told() {
    let server = StandIn::new(|_| Response {
        headers: vec![("Date", "Sun, 30 Aug 2015 12:36:00 GMT".to_owned())],
        ..Response::of(400, r#"{"__type":"InvalidSignatureException","message":"Signature expired"}"#)
    });
    let user = User::new("secret: told/clock").locked(&KEYS[..1]).behind(&server);
    user.fails(&["minutes ahead of that of AWS", "set the clock"]);
}

#[test]
fn a_throttled_request_is_sent_again() {
    let count = Arc::new(Mutex::new(0));
    let counted = Arc::clone(&count);
    let server = StandIn::new(move |request| {
        let mut count = counted.lock().unwrap();
        *count += 1;
        match *count {
            1 | 2 => Response::of(400, r#"{"__type":"ThrottlingException","message":"Rate exceeded"}"#),
            _ => Moto::shared().forward(request),
        }
    });
    let user = User::of_secret("told/throttled", &KEYS[..1]).behind(&server);
    user.delivers(&KEYS[..1]);
    assert_eq!(*count.lock().unwrap(), 3);
    let always = StandIn::new(|_| Response::of(400, r#"{"__type":"ThrottlingException","message":"Rate exceeded"}"#));
    user.behind(&always).fails(&["ThrottlingException", "too many requests"]);
    assert_eq!(always.seen().len(), 4);
}
