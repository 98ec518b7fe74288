use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::*;
use crate::key::Policy;

/// A place that holds texts, takes others, and counts how often it is read.
#[derive(Default)]
struct Fake {
    members: Vec<(&'static str, Vec<u8>)>,
    missing: bool,
    reads: AtomicUsize,
}

impl Place for Fake {
    fn describe(&self) -> String {
        "fake".to_owned()
    }

    fn identity(&self) -> String {
        "fake".to_owned()
    }

    fn login(&self) -> Option<String> {
        Some("nobody".to_owned())
    }

    fn read(&self, _: &Run) -> Result<Content, Error> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        if self.missing {
            return Ok(Content::missing(Error::new("nothing is there", "")));
        }
        let members = self.members.iter().map(|(name, text)| match text.as_slice() {
            b"<null>" => ((*name).to_owned(), Value::Other("null")),
            text => ((*name).to_owned(), Value::Text(KeyText::from(text.to_vec()))),
        });
        Ok(Content { members: members.collect(), ..Content::default() })
    }

    fn writable(&self) -> Option<&dyn Writable> {
        Some(self)
    }
}

impl Writable for Fake {
    /// What is to be set, as a file of lines.
    fn prepare(&self, _: &Run, _: &Content, members: &Members) -> Result<Option<crate::source::NewFiles>, Error> {
        let line = |(name, key): (&String, &KeyText)| format!("{name}={}\n", String::from_utf8_lossy(key.expose()));
        let text: String = members.iter().map(line).collect();
        Ok(Some(vec![(PathBuf::from("fake"), Zeroizing::new(text.into_bytes()))]))
    }

    fn put(&self, _: &Run, _: &Content, _: &Members) -> Result<(), Error> {
        Ok(())
    }
}

fn ring(name: &str, previous: Option<&str>) -> FieldSpec {
    FieldSpec {
        name: name.to_owned().into(),
        previous: previous.map(Into::into),
        variable: None,
        policy: Policy::Any,
        values: None,
        consumers: Vec::new(),
    }
}

fn numbered() -> FieldSpec {
    ring("key-{n}", None)
}

fn holding(members: &[(&'static str, &[u8])]) -> Fake {
    Fake { members: members.iter().map(|(name, text)| (*name, text.to_vec())).collect(), ..Fake::default() }
}

fn stored(place: Fake, fields: &[(&str, &str)], encoding: Option<Encoding>) -> (Stored, Arc<Fake>) {
    let place = Arc::new(place);
    let fields = fields.iter().map(|(field, name)| ((*field).to_owned(), (*name).to_owned())).collect();
    let run = Arc::new(Run::within(Duration::from_secs(9)));
    (Stored::new(Arc::<Fake>::clone(&place), Names { fields, encoding }, run), place)
}

fn numbers(found: &Numbered) -> Vec<(u32, String)> {
    found.iter().map(|(n, key)| (*n, String::from_utf8_lossy(key.expose()).into_owned())).collect()
}

fn fetched(place: Fake, spec: &FieldSpec, fields: &[(&str, &str)], encoding: Option<Encoding>) -> Vec<(u32, String)> {
    numbers(&stored(place, fields, encoding).0.fetch(&[spec]).expect("keys")[0])
}

fn refused(place: Fake, spec: &FieldSpec, encoding: Option<Encoding>) -> String {
    stored(place, &[], encoding).0.fetch(&[spec]).expect_err("refused").message
}

fn own(keys: &[(u32, &str)]) -> Vec<(u32, String)> {
    keys.iter().map(|(n, key)| (*n, (*key).to_owned())).collect()
}

#[test]
fn fields_have_their_own_names_or_those_of_the_store() {
    let members: [(&str, &[u8]); 3] = [("key-0", b"a"), ("key-10", b"b"), ("other", b"x")];
    assert_eq!(fetched(holding(&members), &numbered(), &[], None), own(&[(0, "a"), (10, "b")]));
    // A name of the profile counts no more where the store has another.
    let members: [(&str, &[u8]); 3] = [("obs/0/x", b"a"), ("obs/1/x", b"b"), ("key-0", b"x")];
    assert_eq!(fetched(holding(&members), &numbered(), &[("key-{n}", "obs/{n}/x")], None), own(&[(0, "a"), (1, "b")]));
}

#[test]
fn a_fixed_field_has_a_previous_one() {
    let pair = ring("key", Some("key-previous"));
    let both: [(&str, &[u8]); 2] = [("key", b"new"), ("key-previous", b"old")];
    assert_eq!(fetched(holding(&both), &pair, &[], None), own(&[(0, "old"), (1, "new")]));
    assert_eq!(fetched(holding(&both[..1]), &pair, &[], None), own(&[(0, "new")]));
    let elsewhere: [(&str, &[u8]); 2] = [("now", b"new"), ("then", b"old")];
    let names = [("key", "now"), ("key-previous", "then")];
    assert_eq!(fetched(holding(&elsewhere), &pair, &names, None), own(&[(0, "old"), (1, "new")]));
}

#[test]
fn base64_of_the_store_is_taken_off_with_its_line_breaks() {
    let wrapped = holding(&[("key-0", b"YWJj\nZGVm\n")]);
    assert_eq!(fetched(wrapped, &numbered(), &[], Some(Encoding::Base64)), own(&[(0, "abcdef")]));
    let plain = holding(&[("key-0", b"no base64!")]);
    assert!(refused(plain, &numbered(), Some(Encoding::Base64)).contains("is not base64"));
}

#[test]
fn what_cannot_be_a_key_is_refused() {
    let long = vec![b'k'; MAX_BYTES + 1];
    for (text, why) in [
        (&b""[..], "`key-0` is empty"),
        (b" \n", "`key-0` is nothing but white space"),
        (b"<null>", "`key-0` is null, where a text was expected"),
        (&long, "`key-0` is longer than 64 KiB"),
    ] {
        assert_eq!(refused(holding(&[("key-0", text)]), &numbered(), None), why);
    }
    assert!(refused(holding(&[("key-0", b"a"), ("key-01", b"b")]), &numbered(), None).contains("almost a field"));
    assert_eq!(refused(holding(&[]), &numbered(), None), "has no `key-0`: it is empty");
}

#[test]
fn nothing_there_is_an_error_with_its_login_but_not_for_who_brings_a_key() {
    let nothing = || Fake { missing: true, ..Fake::default() };
    let (source, _) = stored(nothing(), &[], None);
    let error = source.fetch(&[&numbered()]).expect_err("refused");
    assert_eq!((error.message.as_str(), error.login.as_deref()), ("nothing is there", Some("nobody")));
    assert!(source.held(&[&numbered()]).expect("none yet")[0].is_empty());
}

#[test]
fn additions_become_members_in_the_encoding_of_the_store() {
    let key = |text: &str| KeyText::from(text.to_owned());
    let set = |place: Fake, spec: &FieldSpec, fields: &[(&str, &str)], encoding, keys: &[(u32, &str)]| {
        let keys: Vec<(u32, KeyText)> = keys.iter().map(|(n, text)| (*n, key(text))).collect();
        let additions: Vec<Addition<'_>> =
            keys.iter().map(|(number, key)| Addition { spec, number: *number, key }).collect();
        let change = stored(place, fields, encoding).0.with(&additions)?;
        Ok::<_, Error>(change.files.iter().map(|(_, text)| String::from_utf8_lossy(text).into_owned()).collect::<String>())
    };
    let one = || holding(&[("key-0", b"a")]);
    assert_eq!(set(one(), &numbered(), &[], None, &[(1, "b"), (2, "c")]), Ok("key-1=b\nkey-2=c\n".to_owned()));
    let other: [(&str, &[u8]); 1] = [("obs/0", b"YQ==")];
    let names = [("key-{n}", "obs/{n}")];
    let encoded = set(holding(&other), &numbered(), &names, Some(Encoding::Base64), &[(1, "b")]);
    assert_eq!(encoded, Ok("obs/1=Yg==\n".to_owned()));
    // The active key of a fixed field moves to the previous one.
    let pair = ring("key", Some("key-previous"));
    let moved = set(holding(&[("key", b"old")]), &pair, &[], None, &[(1, "new")]);
    assert_eq!(moved, Ok("key=new\nkey-previous=old\n".to_owned()));
    assert!(set(one(), &numbered(), &[], None, &[(2, "c")]).expect_err("a gap").message.contains("the next is 1"));
}

#[test]
fn a_place_is_read_once_until_it_is_forgotten() {
    let (source, place) = stored(holding(&[("key-0", b"a")]), &[], None);
    source.fetch(&[&numbered()]).expect("keys");
    source.held(&[&numbered()]).expect("keys");
    assert!(source.warnings().is_empty());
    assert_eq!(place.reads.load(Ordering::Relaxed), 1);
    source.forget();
    source.fetch(&[&numbered()]).expect("keys");
    assert_eq!(place.reads.load(Ordering::Relaxed), 2);
}
