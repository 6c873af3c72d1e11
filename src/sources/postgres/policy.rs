//! Two options of libpq that say what a login has to be like: require_auth and
//! target_session_attrs, after section 34.1.2 "Parameter Key Words" of the
//! Postgres manual. Read by `address`, obeyed by `relay`.

/// What target_session_attrs asks of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WantedSession {
    Any,
    ReadWrite,
    ReadOnly,
    Primary,
    Standby,
    /// A standby if one of the hosts is; else any.
    PreferStandby,
}

impl WantedSession {
    pub fn parse(text: &str) -> Result<WantedSession, String> {
        Ok(match text {
            "any" => WantedSession::Any,
            "read-write" => WantedSession::ReadWrite,
            "read-only" => WantedSession::ReadOnly,
            "primary" => WantedSession::Primary,
            "standby" => WantedSession::Standby,
            "prefer-standby" => WantedSession::PreferStandby,
            _ => {
                return Err(
                    "its target_session_attrs is unknown: it is any, read-write, \
                     read-only, primary, standby or prefer-standby"
                        .into(),
                );
            }
        })
    }
}

impl WantedSession {
    /// Why a session is not what is wanted.
    pub fn unfit(self, standby: bool, read_only: bool) -> Option<&'static str> {
        let read_only = standby || read_only;
        let (fits, what) = match self {
            WantedSession::Any | WantedSession::PreferStandby => return None,
            WantedSession::ReadWrite => (!read_only, "it is read-only"),
            WantedSession::ReadOnly => (read_only, "it is not read-only"),
            WantedSession::Primary => (!standby, "it is a standby"),
            WantedSession::Standby => (standby, "it is not a standby"),
        };
        (!fits).then_some(what)
    }
}

/// How a server lets a client in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AuthMethod {
    /// It asks for nothing.
    None,
    /// It asks for the password itself.
    Password,
    Md5,
    Scram,
}

/// Who can read what is sent, and who can pretend to be the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Channel {
    /// A Unix socket or a loopback address.
    Local,
    /// TLS to a server whose certificate was checked.
    Verified,
    /// TLS to whoever answered.
    Encrypted,
    Clear,
}

/// Which methods a login may take. Without require_auth all of them, but that
/// the password itself goes only where nobody else can be at the other end: what
/// expects SCRAM must not be talked out of it by somebody in between.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct AuthPolicy {
    /// As require_auth says.
    allowed: Option<Vec<AuthMethod>>,
}

impl AuthPolicy {
    pub fn parse(text: &str) -> Result<AuthPolicy, String> {
        let all = [
            AuthMethod::None,
            AuthMethod::Password,
            AuthMethod::Md5,
            AuthMethod::Scram,
        ];
        let (mut named, mut negated) = (Vec::new(), 0);
        let words: Vec<&str> = text.split(',').map(str::trim).collect();
        for word in &words {
            let name = word.strip_prefix('!').unwrap_or(word);
            negated += usize::from(name.len() < word.len());
            match name {
                "none" => named.push(AuthMethod::None),
                "password" => named.push(AuthMethod::Password),
                "md5" => named.push(AuthMethod::Md5),
                "scram-sha-256" => named.push(AuthMethod::Scram),
                // Never offered from here.
                "gss" | "sspi" | "oauth" => {}
                _ => {
                    return Err(
                        "its require_auth is unknown: it lists none, password, md5, \
                         scram-sha-256, each or none of them with a \"!\" before it"
                            .into(),
                    );
                }
            }
        }
        let allowed = match negated {
            0 => named,
            n if n == words.len() => {
                let kept = all.into_iter().filter(|method| !named.contains(method));
                kept.collect()
            }
            _ => return Err("its require_auth mixes methods with and without \"!\"".into()),
        };
        Ok(AuthPolicy {
            allowed: Some(allowed),
        })
    }

    /// Why the method may not be used over this channel.
    pub fn refusal(&self, method: AuthMethod, channel: Channel) -> Option<&'static str> {
        match &self.allowed {
            Some(allowed) if allowed.contains(&method) => None,
            Some(_) => Some(match method {
                AuthMethod::None => "it asks for no authentication, which require_auth forbids",
                AuthMethod::Password => {
                    "it asks for the password in clear, which require_auth forbids"
                }
                AuthMethod::Md5 => "it asks for an MD5 password, which require_auth forbids",
                AuthMethod::Scram => "it asks for SCRAM, which require_auth forbids",
            }),
            None if method == AuthMethod::Password
                && !matches!(channel, Channel::Local | Channel::Verified) =>
            {
                Some(
                    "it asks for the password in clear: that needs sslmode=verify-full \
                     (or verify-ca), or require_auth=password in the url",
                )
            }
            None => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn require_auth_is_read_as_libpq_does() {
        use AuthMethod::{Md5, None, Password, Scram};
        for (text, allowed) in [
            ("scram-sha-256", vec![Scram]),
            ("scram-sha-256, md5", vec![Md5, Scram]),
            ("!password,!none", vec![Md5, Scram]),
            ("none", vec![None]),
            ("gss", vec![]),
        ] {
            let policy = AuthPolicy::parse(text).expect("known");
            for method in [None, Password, Md5, Scram] {
                let refused = policy.refusal(method, Channel::Local).is_some();
                assert_eq!(refused, !allowed.contains(&method), "{text} {method:?}");
            }
        }
        for text in ["", "scram", "!md5,password"] {
            assert!(AuthPolicy::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_password_in_clear_needs_a_server_that_is_known() {
        let policy = AuthPolicy::default();
        for (channel, expected) in [
            (Channel::Local, false),
            (Channel::Verified, false),
            (Channel::Encrypted, true),
            (Channel::Clear, true),
        ] {
            let refused = policy.refusal(AuthMethod::Password, channel).is_some();
            assert_eq!(refused, expected, "{channel:?}");
            assert_eq!(policy.refusal(AuthMethod::Scram, channel), None);
        }
    }
}
