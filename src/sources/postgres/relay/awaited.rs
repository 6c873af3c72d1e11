//! What a source still has to answer, in the order it was asked. Used by
//! `connection`: so it is known which replies are the relay's own and not the
//! client's, and when nothing is outstanding any more. Does no IO.
//!
//! After section 55.2 "Message Flow": every Parse, Bind, Close, Describe and
//! Execute has one reply that ends it, a Sync or Query ends with ReadyForQuery,
//! an error skips to the next Sync, and a Sync amid COPY is ignored.

use std::collections::VecDeque;

use super::inbox::Frame;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Awaits {
    Parse {
        /// One of the pool's statements.
        statement: Option<u64>,
        shown: Shown,
    },
    Bind,
    Close(Shown),
    Describe,
    /// What the columns of one of the pool's statements are: hidden.
    Columns(u64),
    Execute,
    Sync,
    /// A simple query or a function call.
    Query,
    /// A simple query of the relay itself: everything up to its end is hidden.
    Own,
    /// CopyDone or CopyFail, sent before it was known that COPY would begin.
    CopyEnd,
    /// A reply that the source need not give again.
    Synthetic(Frame),
    /// The ParseComplete of an unnamed statement that was not sent again: given out
    /// once the source took the Bind behind it.
    Reused,
}

/// Does the client see the reply?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shown {
    Shown,
    Hidden,
}

/// Of a batch that the source refused: was its Sync sent?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    Open,
    Ended,
}

/// What became of a message after its reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    Nothing,
    Asked(Awaits),
    /// The reply answers nothing that was asked.
    OutOfOrder,
}

#[derive(Debug, Default)]
pub(super) struct Awaited {
    queue: VecDeque<Awaits>,
    /// After an error whose Sync was not sent yet the source ignores everything.
    skipping: bool,
    /// The source reads COPY data.
    copying_in: bool,
    own: usize,
    /// Something was asked since the source was last ready.
    amid: bool,
    /// A Sync went out in the middle of COPY: whether it is answered depends on
    /// whether the COPY failed before it arrived.
    pub doubtful: bool,
}

impl Awaited {
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty() && !self.skipping && !self.copying_in
    }

    /// Has nothing been asked since the source was last ready?
    pub fn is_at_rest(&self) -> bool {
        !self.amid && self.is_empty()
    }

    /// Was nothing asked behind a statement that is not sent again?
    pub fn ends_reused(&self) -> bool {
        matches!(self.queue.back(), Some(Awaits::Reused))
    }

    /// Is the reply that is due next one that the source need not give, if it
    /// takes what follows?
    pub fn is_reused(&self) -> bool {
        matches!(self.queue.front(), Some(Awaits::Reused))
    }

    /// The statement at the end is sent after all.
    pub fn parse_reused(&mut self) {
        if self.ends_reused() {
            self.queue.pop_back();
            self.sent(b'P');
        }
    }

    /// The source took what followed.
    pub fn reused(&mut self) {
        if self.is_reused() {
            self.queue.pop_front();
        }
    }

    /// The source refused what followed, and is sent all of it once more, behind
    /// the end of what it refused. `None` if more than that is on its way.
    pub fn again(&mut self) -> Option<Refused> {
        let end = self.queue.iter().position(|asked| *asked == Awaits::Sync);
        let refused = match end {
            None => Refused::Open,
            Some(end) if end + 1 == self.queue.len() => Refused::Ended,
            Some(_) => return None,
        };
        self.reused();
        let asked = std::mem::take(&mut self.queue);
        self.push(Awaits::Own);
        self.sent(b'P');
        self.queue.extend(asked);
        Some(refused)
    }

    /// Are replies to the relay itself due next?
    pub fn is_own(&self) -> bool {
        matches!(self.queue.front(), Some(Awaits::Own))
    }

    /// Is the reply that is due next about one of the pool's statements alone?
    pub fn is_columns(&self) -> bool {
        matches!(self.queue.front(), Some(Awaits::Columns(_)))
    }

    /// Has everything been answered that will be before the next Sync?
    pub fn is_drained(&self) -> bool {
        self.queue.is_empty()
    }

    pub fn has_own(&self) -> bool {
        self.own > 0
    }

    /// Replies to the relay itself that are due.
    pub fn own(&self) -> usize {
        self.own
    }

    pub fn is_skipping(&self) -> bool {
        self.skipping
    }

    pub fn push(&mut self, awaits: Awaits) {
        if self.skipping && awaits != Awaits::Sync {
            return;
        }
        self.skipping = false;
        self.amid = true;
        self.own += usize::from(awaits == Awaits::Own);
        self.queue.push_back(awaits);
    }

    /// A message of the client's went out.
    pub fn sent(&mut self, kind: u8) {
        match kind {
            b'P' => self.push(Awaits::Parse {
                statement: None,
                shown: Shown::Shown,
            }),
            b'B' => self.push(Awaits::Bind),
            b'C' => self.push(Awaits::Close(Shown::Shown)),
            b'D' => self.push(Awaits::Describe),
            b'E' => self.push(Awaits::Execute),
            b'Q' | b'F' => self.push(Awaits::Query),
            b'S' if self.copying_in => self.doubtful = true,
            b'S' => self.push(Awaits::Sync),
            b'c' | b'f' if self.copying_in => self.copying_in = false,
            b'c' | b'f' => self.push(Awaits::CopyEnd),
            _ => {}
        }
    }

    /// The next reply, if it is one that the source need not give.
    pub fn take_synthetic(&mut self) -> Option<Frame> {
        let Some(Awaits::Synthetic(frame)) = self.queue.front() else {
            return None;
        };
        let frame = *frame;
        self.queue.pop_front();
        Some(frame)
    }

    /// A reply arrived; `forget` hears of every statement that was not parsed.
    pub fn answered(&mut self, kind: u8, forget: impl FnMut(u64)) -> Ended {
        match kind {
            b'1' => self.pop_if(|front| matches!(front, Awaits::Parse { .. })),
            b'2' => self.pop_if(|front| matches!(front, Awaits::Bind)),
            b'3' => self.pop_if(|front| matches!(front, Awaits::Close(_))),
            b'T' | b'n' => self
                .pop_unless_query(|front| matches!(front, Awaits::Describe | Awaits::Columns(_))),
            b'C' | b'I' | b's' => self.pop_unless_query(|front| matches!(front, Awaits::Execute)),
            b'E' => {
                self.failed(forget);
                Ended::Nothing
            }
            b'G' => {
                self.copy_begins();
                Ended::Nothing
            }
            b'Z' => self.ready(),
            b'A' | b'D' | b'H' | b'K' | b'N' | b'S' | b'V' | b'W' | b'c' | b'd' | b't' => {
                Ended::Nothing
            }
            _ => Ended::OutOfOrder,
        }
    }

    fn pop_if(&mut self, matches: impl Fn(&Awaits) -> bool) -> Ended {
        match self.queue.front() {
            Some(front) if matches(front) => {
                let front = *front;
                self.queue.pop_front();
                Ended::Asked(front)
            }
            _ => Ended::OutOfOrder,
        }
    }

    /// In a simple query the same kinds end no message.
    fn pop_unless_query(&mut self, matches: impl Fn(&Awaits) -> bool) -> Ended {
        match self.queue.front() {
            Some(Awaits::Query | Awaits::Own) => Ended::Nothing,
            _ => self.pop_if(matches),
        }
    }

    fn failed(&mut self, mut forget: impl FnMut(u64)) {
        self.copying_in = false;
        if self.queue.is_empty() {
            return;
        }
        if let Some(Awaits::Query | Awaits::Own) = self.queue.front() {
            return;
        }
        while let Some(front) = self.queue.front() {
            match front {
                Awaits::Sync => return,
                Awaits::Own => self.own -= 1,
                Awaits::Parse {
                    statement: Some(statement),
                    ..
                }
                | Awaits::Columns(statement) => forget(*statement),
                _ => {}
            }
            self.queue.pop_front();
        }
        self.skipping = true;
    }

    /// What was sent behind the statement that copies was read as part of the
    /// COPY: a Sync before its end has no answer.
    fn copy_begins(&mut self) {
        self.copying_in = true;
        let mut at = 1;
        while let Some(awaits) = self.queue.get(at) {
            match awaits {
                Awaits::Sync => {
                    self.queue.remove(at);
                }
                Awaits::CopyEnd => {
                    self.queue.remove(at);
                    self.copying_in = false;
                    return;
                }
                _ => at += 1,
            }
        }
    }

    fn ready(&mut self) -> Ended {
        self.copying_in = false;
        while let Some(Awaits::CopyEnd) = self.queue.front() {
            self.queue.pop_front();
        }
        let ended =
            self.pop_if(|front| matches!(front, Awaits::Sync | Awaits::Query | Awaits::Own));
        self.own -= usize::from(ended == Ended::Asked(Awaits::Own));
        self.amid = !self.queue.is_empty();
        // A COPY that never began: its end was ignored.
        while let Some(Awaits::CopyEnd) = self.queue.front() {
            self.queue.pop_front();
        }
        ended
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Messages there and kinds back; at the end nothing may be awaited.
    fn check(sent: &[u8], answered: &[u8]) {
        let mut awaited = Awaited::default();
        for kind in sent {
            awaited.sent(*kind);
        }
        for kind in answered {
            let ended = awaited.answered(*kind, |_| {});
            assert_ne!(ended, Ended::OutOfOrder, "{} of {sent:?}", *kind as char);
        }
        assert!(awaited.is_empty(), "{sent:?} {answered:?}: {awaited:?}");
    }

    #[test]
    fn every_message_has_its_reply() {
        for (sent, answered) in [
            (&b"Q"[..], &b"TDDCZ"[..]),
            (b"QQ", b"TDCCZEZ"),
            (b"PBDES", b"12TDDCZ"),
            (b"PDSBES", b"1tnZ2CZ"),
            (b"PBES", b"1EZ"),
            (b"PBESPBES", b"EZ12CZ"),
            (b"BES", b"2DDsZ"),
            (b"CS", b"3Z"),
            (b"F", b"VZ"),
            (b"Q", b"HddcCZ"),
            // COPY from the client, its end sent ahead of the begin
            (b"QddcS", b"GCZZ"),
            (b"Qddc", b"GCZ"),
            (b"Qddf", b"GEZ"),
            // … of a COPY that failed before it began
            (b"Qddc", b"EZ"),
            // the extended protocol: the first Sync is read as part of the COPY
            (b"PBESdcS", b"12GCZ"),
            (b"PBEdcS", b"12GCZ"),
            // sent after a Q within a batch that failed: never run
            (b"PQS", b"EZ"),
        ] {
            check(sent, answered);
        }
    }

    #[test]
    fn an_error_skips_what_is_sent_until_a_sync() {
        let mut awaited = Awaited::default();
        let mut forgotten = Vec::new();
        awaited.push(Awaits::Parse {
            statement: Some(7),
            shown: Shown::Hidden,
        });
        awaited.sent(b'B');
        awaited.answered(b'E', |statement| forgotten.push(statement));
        assert_eq!(forgotten, [7]);
        assert!(awaited.is_skipping() && !awaited.is_empty());
        awaited.sent(b'E');
        awaited.sent(b'S');
        assert_eq!(awaited.answered(b'Z', |_| {}), Ended::Asked(Awaits::Sync));
        assert!(awaited.is_empty());
    }

    #[test]
    fn columns_are_answered_like_a_describe() {
        let mut awaited = Awaited::default();
        for ended in [b'T', b'n'] {
            awaited.push(Awaits::Columns(7));
            assert_eq!(awaited.answered(b't', |_| {}), Ended::Nothing);
            assert!(awaited.is_columns());
            let answered = awaited.answered(ended, |_| {});
            assert_eq!(answered, Ended::Asked(Awaits::Columns(7)));
            assert!(awaited.is_empty());
        }
    }

    #[test]
    fn a_sync_amid_copy_is_ignored() {
        let mut awaited = Awaited::default();
        for kind in b"PBE" {
            awaited.sent(*kind);
        }
        for kind in b"12G" {
            awaited.answered(*kind, |_| {});
        }
        assert!(!awaited.is_empty());
        for kind in b"dScS" {
            awaited.sent(*kind);
        }
        assert!(awaited.doubtful);
        awaited.answered(b'C', |_| {});
        awaited.answered(b'Z', |_| {});
        assert!(awaited.is_empty());
    }

    #[test]
    fn replies_that_nobody_asked_for_are_out_of_order() {
        for (sent, kind) in [("", b'Z'), ("B", b'1'), ("P", b'C'), ("Q", b'2')] {
            let mut awaited = Awaited::default();
            sent.bytes().for_each(|kind| awaited.sent(kind));
            assert_eq!(awaited.answered(kind, |_| {}), Ended::OutOfOrder);
        }
    }
}
