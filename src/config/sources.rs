//! `[sources.<name>]`, one function a kind; the `files` kind is in `files`.

use std::collections::BTreeMap;

use super::files;
use super::item::Item;
use super::notes::suggestion;
use super::schema::{
    DeltaSource, IcebergCatalog, IcebergSource, PostgresSource, Source, UpstreamRole,
};
use super::section::Section;
use super::users::check_glob;

const KINDS: [&str; 4] = ["postgres", "delta", "iceberg", "files"];

pub(super) fn read(root: &Section<'_>) -> BTreeMap<String, Source> {
    let named = root.named("sources").into_iter();
    named
        .filter_map(|(name, item)| {
            if name.is_empty() {
                item.mistake("a source needs a name");
            }
            let source = read_one(&name, item.section()?)?;
            Some((name, source))
        })
        .collect()
}

fn read_one(name: &str, section: Section<'_>) -> Option<Source> {
    let kind = section.required("kind")?.text()?;
    let source = match kind.value.as_str() {
        "postgres" => Source::Postgres(read_postgres(name, &section)),
        "delta" => Source::Delta(DeltaSource {
            tables: required_tables(&section),
            storage: section.text("storage"),
        }),
        "iceberg" => Source::Iceberg(read_iceberg(&section)),
        "files" => Source::Files(files::read(&section)),
        other => {
            kind.mistake(format!(
                "unknown kind {}; {}",
                kind.shown(),
                suggestion(other, KINDS)
            ));
            return None;
        }
    };
    section.finish();
    Some(source)
}

fn read_postgres(name: &str, section: &Section<'_>) -> PostgresSource {
    let url = section.required("url").and_then(Item::secret);
    if let Some(url) = &url
        && !is_connection_string(url.reveal())
        && let Some(item) = section.find("url")
    {
        item.mistake(
            "expected postgres://<user>@<host>:<port>/<database>, or key=value pairs as libpq reads them",
        );
    }
    let mut schemas = texts_by_name(section, "schemas");
    if section.find("schemas").is_none() {
        schemas.insert("public".into(), name.into());
    }
    let tables = section.texts("tables");
    tables.iter().flatten().for_each(check_glob);
    PostgresSource {
        url: url.unwrap_or_else(|| super::Secret::new("")),
        schemas,
        tables: match tables {
            Some(tables) => tables.into_iter().map(|text| text.value).collect(),
            None => vec!["*".into()],
        },
        max_connections: section.count("max_connections").unwrap_or(8),
        writable: section.boolean("writable").unwrap_or(false),
        roles: read_roles(section),
        functions: read_functions(section),
    }
}

fn read_roles(section: &Section<'_>) -> BTreeMap<String, UpstreamRole> {
    let named = section.named("roles").into_iter();
    named
        .filter_map(|(name, item)| {
            let section = item.section()?;
            let role = UpstreamRole {
                user: section.required_text("user"),
                password: section.secret("password"),
            };
            if role.user.is_empty()
                && let Some(item) = section.find("user")
            {
                item.mistake("the user is empty");
            }
            section.finish();
            Some((name, role))
        })
        .collect()
}

fn read_functions(section: &Section<'_>) -> Vec<String> {
    let texts = section.texts("functions").unwrap_or_default();
    for text in &texts {
        check_glob(text);
        if !text.value.contains('.') {
            text.mistake(format!(
                "{} names no schema: expected \"<schema>.<function>\" such as \"public.*\"",
                text.shown()
            ));
        }
    }
    texts.into_iter().map(|text| text.value).collect()
}

/// The two forms of section 34.1.1 of the Postgres manual; the source's own
/// client reads the rest.
fn is_connection_string(text: &str) -> bool {
    text.starts_with("postgres://")
        || text.starts_with("postgresql://")
        || (text.contains('=') && !text.contains("://"))
}

fn read_iceberg(section: &Section<'_>) -> IcebergSource {
    let source = IcebergSource {
        catalog: section.section("catalog").map(read_catalog),
        namespaces: texts_by_name(section, "namespaces"),
        tables: texts_by_name(section, "tables"),
        storage: section.text("storage"),
    };
    let namespaces = section.find("namespaces");
    match (section.find("catalog"), section.find("tables")) {
        (Some(_), Some(tables)) => {
            tables.mistake("both \"catalog\" and \"tables\" are given: keep one");
        }
        (None, None) => section.mistake("\"catalog\" is missing (or \"tables\")"),
        (None, Some(_)) => {
            if let Some(namespaces) = namespaces {
                namespaces.mistake("namespaces are those of a \"catalog\", and none is given");
            }
        }
        (Some(_), None) => {}
    }
    source
}

fn read_catalog(section: Section<'_>) -> IcebergCatalog {
    let kind = section.required("type").and_then(Item::text);
    if let Some(kind) = &kind
        && !matches!(kind.value.as_str(), "rest" | "glue")
    {
        kind.mistake(format!(
            "unknown catalog type {}; {}",
            kind.shown(),
            suggestion(&kind.value, ["rest", "glue"])
        ));
    }
    let kind = kind.map(|text| text.value).unwrap_or_default();
    let uri = match kind.as_str() {
        "glue" => section.item("uri"),
        _ => section.required("uri"),
    };
    let uri = uri.and_then(Item::text);
    if let Some(uri) = &uri {
        check_http(uri);
    }
    let oauth = section.item("oauth2_server_uri").and_then(Item::text);
    if let Some(oauth) = &oauth {
        check_http(oauth);
    }
    let catalog = IcebergCatalog {
        kind,
        uri: uri.map(|text| text.value).unwrap_or_default(),
        warehouse: section.text("warehouse"),
        credential: section.secret("credential"),
        token: section.secret("token"),
        scope: section.text("scope"),
        oauth2_server_uri: oauth.map(|text| text.value),
        headers: section
            .named("headers")
            .into_iter()
            .filter_map(|(name, item)| Some((name, item.secret()?)))
            .collect(),
    };
    if catalog.credential.is_some() && catalog.token.is_some() {
        section.mistake("both \"credential\" and \"token\" are given: keep one");
    }
    section.finish();
    catalog
}

pub(super) fn check_http(text: &super::item::Text<'_>) {
    let url = url::Url::parse(&text.value).ok();
    if !url.is_some_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host()) {
        text.mistake(format!(
            "{} is not a URL that starts with http:// or https://",
            text.shown()
        ));
    }
}

fn required_tables(section: &Section<'_>) -> BTreeMap<String, String> {
    section.required("tables");
    texts_by_name(section, "tables")
}

/// `{ name = "text", … }`; empty texts are mistakes.
fn texts_by_name(section: &Section<'_>, key: &'static str) -> BTreeMap<String, String> {
    let named = section.named(key).into_iter();
    named
        .filter_map(|(name, item)| {
            let text = item.text()?;
            if name.is_empty() || text.value.is_empty() {
                text.mistake("names and values must not be empty");
            }
            Some((name, text.value))
        })
        .collect()
}
