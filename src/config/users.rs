//! `[[users]]`: names, secrets and globs.

use super::item::Text;
use super::schema::{User, UserSecret};
use super::secret::Secret;
use super::section::Section;

pub(super) fn read(root: &Section<'_>) -> Vec<User> {
    let mut users: Vec<User> = Vec::new();
    for section in root.sections("users") {
        let user = read_one(&section);
        if users.iter().any(|other| other.name == user.name) {
            section.mistake(format!("user \"{}\" is declared twice", user.name));
        }
        users.push(user);
    }
    users
}

fn read_one(section: &Section<'_>) -> User {
    let user = User {
        name: section.required_text("name"),
        login: read_login(section),
        read: read_globs(section, "read"),
        write: read_globs(section, "write"),
    };
    if let Some(item) = section.find("name")
        && (user.name.is_empty() || user.name.len() > 63)
    {
        item.mistake("a user name has 1 to 63 bytes");
    }
    section.finish();
    user
}

fn read_login(section: &Section<'_>) -> UserSecret {
    let password = section.secret("password");
    let scram = section.secret("scram");
    // What is there, not what could be read: a bad value has its own mistake.
    let given = |key| section.find(key).is_some();
    match (given("password"), given("scram")) {
        (true, true) => section.mistake("both \"password\" and \"scram\" are given: keep one"),
        (false, false) => section.mistake("\"password\" is missing (or \"scram\", its verifier)"),
        _ => {}
    }
    if password.as_ref().is_some_and(|p| p.reveal().is_empty())
        && let Some(item) = section.find("password")
    {
        item.mistake("the password is empty");
    }
    if let Some(scram) = scram {
        if !is_verifier(scram.reveal())
            && let Some(item) = section.find("scram")
        {
            item.mistake(
                "not a SCRAM verifier: expected \
                 SCRAM-SHA-256$<iterations>:<salt>$<stored key>:<server key>, \
                 as in pg_authid.rolpassword",
            );
        }
        return UserSecret::Scram(scram);
    }
    UserSecret::Password(password.unwrap_or_else(|| Secret::new("")))
}

/// The shape alone; `auth` decodes it.
fn is_verifier(text: &str) -> bool {
    let base64 = |text: &str| {
        !text.is_empty()
            && text.len().is_multiple_of(4)
            && text
                .trim_end_matches('=')
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || c == '+' || c == '/')
    };
    // 32 bytes in base64
    let key = |text: &str| text.len() == 44 && base64(text);
    let parts = || {
        let (salt, keys) = text.strip_prefix("SCRAM-SHA-256$")?.split_once('$')?;
        let (iterations, salt) = salt.split_once(':')?;
        let (stored, server) = keys.split_once(':')?;
        Some((iterations, salt, stored, server))
    };
    parts().is_some_and(|(iterations, salt, stored, server)| {
        iterations.parse::<u32>().is_ok_and(|n| n > 0) && base64(salt) && key(stored) && key(server)
    })
}

fn read_globs(section: &Section<'_>, key: &'static str) -> Vec<String> {
    let texts = section.texts(key).unwrap_or_default();
    for text in &texts {
        check_glob(text);
        if text.value != "*" && !text.value.contains('.') {
            text.mistake(format!(
                "{} names no schema: expected \"<schema>.<table>\" such as \"shop.*\"",
                text.shown()
            ));
        }
    }
    texts.into_iter().map(|text| text.value).collect()
}

/// `*` is the only wildcard; what looks like another one is a mistake rather
/// than a name that never matches.
pub(super) fn check_glob(text: &Text<'_>) {
    if text.value.is_empty() {
        text.mistake("an empty pattern matches nothing");
    } else if let Some(c) = text.value.chars().find(|c| "?[]{}!".contains(*c)) {
        text.mistake(format!(
            "{} has '{c}': the only wildcard is '*', any run of characters",
            text.shown()
        ));
    }
}
