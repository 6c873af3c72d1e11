//! The users of catalog.toml with their verifiers, made once at load.

use std::collections::HashMap;
use std::sync::Arc;

use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};

use super::grants::Grants;
use super::scram::{ITERATIONS, Verifier};
use crate::config::{User, UserSecret};
use crate::error::{Error, Result, SqlState};

#[derive(Debug)]
pub struct Users {
    by_name: HashMap<String, Login>,
    /// Of this process: unknown users get the same salt at every attempt.
    mock_key: [u8; 32],
    mock_iterations: u32,
}

#[derive(Debug)]
struct Login {
    verifier: Verifier,
    grants: Arc<Grants>,
}

/// What a login is checked against.
pub struct Challenge {
    pub verifier: Verifier,
    /// `None`: no such user; every proof fails.
    pub grants: Option<Arc<Grants>>,
}

impl Users {
    pub fn load(users: &[User]) -> Result<Users> {
        let random = SystemRandom::new();
        let mut mock_key = [0; 32];
        random.fill(&mut mock_key).map_err(|_| no_randomness())?;
        let mut by_name = HashMap::new();
        for user in users {
            let verifier = match &user.login {
                UserSecret::Password(password) => {
                    let mut salt = vec![0; 16];
                    random.fill(&mut salt).map_err(|_| no_randomness())?;
                    Verifier::from_password(password.reveal(), salt, ITERATIONS)
                }
                UserSecret::Scram(text) => Verifier::parse(text.reveal()).ok_or_else(|| {
                    Error::new(
                        SqlState::CONFIG_FILE_ERROR,
                        format!("user \"{}\" has no valid SCRAM-SHA-256 verifier", user.name),
                    )
                })?,
            };
            let grants = Arc::new(Grants::new(user.read.clone(), user.write.clone()));
            by_name.insert(user.name.clone(), Login { verifier, grants });
        }
        Ok(Users {
            mock_iterations: most_frequent(&by_name),
            by_name,
            mock_key,
        })
    }

    /// No [[users]]: everyone from this machine, as anyone.
    pub fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }

    /// Unknown names get a verifier that looks like any other and fits nothing.
    pub fn challenge(&self, name: &str) -> Challenge {
        match self.by_name.get(name) {
            Some(login) => Challenge {
                verifier: login.verifier.clone(),
                grants: Some(login.grants.clone()),
            },
            None => Challenge {
                verifier: self.mock(name),
                grants: None,
            },
        }
    }

    fn mock(&self, name: &str) -> Verifier {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &self.mock_key);
        let derive = |purpose: &str| {
            let tag = hmac::sign(&key, format!("{purpose}:{name}").as_bytes());
            tag.as_ref().to_vec()
        };
        let mut salt = derive("salt");
        salt.truncate(16);
        Verifier::new(
            self.mock_iterations,
            salt,
            &derive("stored"),
            &derive("server"),
        )
    }
}

/// The iteration count that most users have, so that it tells nothing.
fn most_frequent(users: &HashMap<String, Login>) -> u32 {
    let mut counts: HashMap<u32, usize> = HashMap::new();
    for login in users.values() {
        *counts.entry(login.verifier.iterations).or_default() += 1;
    }
    counts
        .into_iter()
        .max_by_key(|(iterations, count)| (*count, *iterations))
        .map_or(ITERATIONS, |(iterations, _)| iterations)
}

fn no_randomness() -> Error {
    Error::internal("the system gives no random numbers")
}
