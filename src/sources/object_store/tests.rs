//! Locations, their stores' names, and what errors must not say.

use std::collections::BTreeMap;

use super::*;
use crate::config::{Secret, StorageKind};
use crate::sources::lake_testing::config;

fn s3(options: &[(&str, &str)]) -> Storage {
    Storage {
        kind: StorageKind::S3,
        region: Some("eu-west-1".into()),
        endpoint: Some("http://127.0.0.1:9000".into()),
        options: options
            .iter()
            .map(|(key, value)| (key.to_string(), Secret::new(*value)))
            .collect(),
    }
}

#[test]
fn relative_paths_start_from_the_configuration() {
    let stores = Stores::new(&config("/srv/cat".as_ref(), BTreeMap::new())).unwrap();
    for (text, path) in [
        ("data/part", "srv/cat/data/part"),
        ("./data/../part/", "srv/cat/part"),
        ("../x", "srv/x"),
        ("/abs/a b", "abs/a b"),
        ("file:///abs/a%20b", "abs/a b"),
        ("/abs/p=a%2Fb", "abs/p=a%2Fb"),
    ] {
        let location = stores.locate(text, None).unwrap();
        assert_eq!(location.path.as_ref(), path, "{text}");
    }
    let location = stores.locate("data", None).unwrap();
    assert_eq!(location.to_string(), "/srv/cat/data");
}

#[test]
fn credentials_and_buckets_never_share_a_store() {
    let storage = BTreeMap::from([
        (
            "a".to_string(),
            s3(&[("access_key_id", "x"), ("secret_access_key", "y")]),
        ),
        (
            "b".to_string(),
            s3(&[("access_key_id", "x"), ("secret_access_key", "z")]),
        ),
    ]);
    let stores = Stores::new(&config("/".as_ref(), storage)).unwrap();
    let url = |text, name| stores.locate(text, Some(name)).unwrap().store.url;
    let same = url("s3://bucket/one", "a");
    assert_eq!(same, url("s3://bucket/two", "a"));
    assert_ne!(same, url("s3://bucket/one", "b"));
    assert_ne!(same, url("s3://bucket2/one", "a"));
}

#[test]
fn unknown_keys_and_sections_are_named() {
    let storage = BTreeMap::from([("prod".to_string(), s3(&[("acces_key", "hush")]))]);
    let error = Stores::new(&config("/".as_ref(), storage)).unwrap_err();
    assert_eq!(error.state(), SqlState::CONFIG_FILE_ERROR);
    assert!(error.message().contains("[storage.prod]"), "{error}");
    assert!(error.message().contains("acces_key"), "{error}");
    assert!(!error.log_text().contains("hush"));

    let stores = Stores::new(&config("/".as_ref(), BTreeMap::new())).unwrap();
    let error = stores.locate("s3://bucket/x", Some("nope")).unwrap_err();
    assert!(error.message().contains("[storage.nope]"), "{error}");
    let error = stores.locate("ftp://host/x", None).unwrap_err();
    assert_eq!(error.state(), SqlState::CONFIG_FILE_ERROR);
}

#[test]
fn a_section_of_another_kind_is_refused() {
    let storage = BTreeMap::from([("prod".to_string(), s3(&[]))]);
    let stores = Stores::new(&config("/".as_ref(), storage)).unwrap();
    let error = stores.locate("gs://bucket/x", Some("prod")).unwrap_err();
    assert!(error.message().contains("needs kind \"gcs\""), "{error}");
}

#[test]
fn secrets_in_urls_are_cut_from_errors() {
    for (text, clean) in [
        (
            "GET https://a.blob/c/x?sig=abc failed (https://u:p@h/y)",
            "GET https://a.blob/c/x failed (https://***@h/y)",
        ),
        ("abfss://box@account.host/x", "abfss://box@account.host/x"),
        ("no url? here", "no url? here"),
    ] {
        assert_eq!(scrub(text), clean);
    }
}
