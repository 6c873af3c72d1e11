//! A statement's text as a tree, by squawk's grammar of Postgres. Nodes lie in
//! preorder in one vector, so that walks need no recursion, whatever the depth.

use squawk_parser::{EntryPoint, LexedStr, StrStep, SyntaxKind};

use super::statement::Reason;
use crate::plan::lexer::{Kind, Lexer, Token};

pub(super) type Id = usize;

#[derive(Debug, Clone, Copy)]
struct Node {
    kind: SyntaxKind,
    start: u32,
    end: u32,
    parent: u32,
    /// The node after this one's subtree.
    next: u32,
}

/// Blanks and comments are left out.
pub(super) struct Tree<'t> {
    text: &'t str,
    nodes: Vec<Node>,
    /// A leaf is a token.
    leaves: Vec<bool>,
}

/// Tokens that may lie within each other.
const MAX_NESTING: usize = 30_000;

/// Bytes of stack for each: 5.2 kB were measured without optimization, 1.1 kB with,
/// for the several tokens that a level of recursion takes.
const LEVEL_STACK: usize = if cfg!(debug_assertions) {
    6 << 10
} else {
    2 << 10
};

/// And for what does not nest.
const FLAT_STACK: usize = 256 << 10;

impl<'t> Tree<'t> {
    /// Err where the text is no statement of Postgres, or one that the grammar
    /// does not know.
    pub(super) fn parse(text: &'t str) -> Result<Tree<'t>, Reason> {
        if u32::try_from(text.len()).is_err() {
            return Err(Reason::TooDeep);
        }
        let seen = scan(text)?;
        if seen.nesting > MAX_NESTING {
            return Err(Reason::TooDeep);
        }
        let stack = FLAT_STACK + seen.nesting * LEVEL_STACK;
        let tree = stacker::maybe_grow(stack, stack, || Tree::build(text))?;
        // The two lexers must agree on what is quoted: names hide in strings otherwise.
        let quoted = tree.ids().filter(|id| tree.is_quoted(*id));
        match quoted.map(|id| tree.end(id)).eq(seen.quoted) {
            true => Ok(tree),
            false => Err(Reason::NotUnderstood("quotes".into())),
        }
    }

    fn build(text: &'t str) -> Result<Tree<'t>, Reason> {
        let lexed = LexedStr::new(text);
        if let Some((_, message)) = lexed.errors().next() {
            return Err(Reason::NotUnderstood(message.to_string()));
        }
        let parsed = EntryPoint::SourceFile.parse(&lexed.to_input());
        let mut builder = Builder {
            nodes: Vec::new(),
            leaves: Vec::new(),
            open: Vec::new(),
            at: 0,
            last_end: 0,
            error: None,
        };
        lexed.intersperse_trivia(&parsed, &mut |step| builder.step(step));
        match builder.error {
            Some(message) => Err(Reason::NotUnderstood(message)),
            None => Ok(Tree {
                text,
                nodes: builder.nodes,
                leaves: builder.leaves,
            }),
        }
    }

    /// In preorder.
    pub(super) fn ids(&self) -> std::ops::Range<Id> {
        0..self.nodes.len()
    }

    pub(super) fn kind(&self, id: Id) -> SyntaxKind {
        self.nodes[id].kind
    }

    pub(super) fn text(&self, id: Id) -> &'t str {
        &self.text[self.start(id)..self.end(id)]
    }

    pub(super) fn start(&self, id: Id) -> usize {
        self.nodes[id].start as usize
    }

    pub(super) fn end(&self, id: Id) -> usize {
        self.nodes[id].end as usize
    }

    /// The first node after the subtree.
    pub(super) fn next(&self, id: Id) -> Id {
        self.nodes[id].next as usize
    }

    pub(super) fn is_leaf(&self, id: Id) -> bool {
        self.leaves[id]
    }

    /// The root is its own parent.
    pub(super) fn parent(&self, id: Id) -> Id {
        self.nodes[id].parent as usize
    }

    pub(super) fn parent_kind(&self, id: Id) -> SyntaxKind {
        self.kind(self.parent(id))
    }

    pub(super) fn children(&self, id: Id) -> impl Iterator<Item = Id> + '_ {
        let end = self.next(id);
        let mut at = id + 1;
        std::iter::from_fn(move || {
            let child = at;
            (child < end).then(|| {
                at = self.next(child);
                child
            })
        })
    }

    pub(super) fn child(&self, id: Id, kind: SyntaxKind) -> Option<Id> {
        self.children(id).find(|child| self.kind(*child) == kind)
    }

    pub(super) fn has(&self, id: Id, kind: SyntaxKind) -> bool {
        self.child(id, kind).is_some()
    }

    /// Is one of this kind anywhere below?
    pub(super) fn holds(&self, id: Id, kind: SyntaxKind) -> bool {
        (id + 1..self.next(id)).any(|below| self.kind(below) == kind)
    }

    fn is_quoted(&self, id: Id) -> bool {
        if !self.is_leaf(id) {
            return false;
        }
        match self.kind(id) {
            SyntaxKind::STRING
            | SyntaxKind::ESC_STRING
            | SyntaxKind::NATIONAL_STRING
            | SyntaxKind::UNICODE_ESC_STRING
            | SyntaxKind::BIT_STRING
            | SyntaxKind::BYTE_STRING
            | SyntaxKind::DOLLAR_QUOTED_STRING => true,
            _ => self.text(id).ends_with('"'),
        }
    }
}

struct Builder {
    nodes: Vec<Node>,
    leaves: Vec<bool>,
    open: Vec<Id>,
    at: usize,
    last_end: usize,
    error: Option<String>,
}

impl Builder {
    fn step(&mut self, step: StrStep<'_>) {
        match step {
            StrStep::Enter { kind } => {
                let id = self.push(kind, self.at, false);
                self.open.push(id);
            }
            StrStep::Exit => {
                let next = self.nodes.len() as u32;
                if let Some(node) = self.open.pop().and_then(|id| self.nodes.get_mut(id)) {
                    node.end = node.start.max(self.last_end as u32);
                    node.next = next;
                }
            }
            StrStep::Token { kind, text } => {
                let start = self.at;
                self.at += text.len();
                if !matches!(kind, SyntaxKind::WHITESPACE | SyntaxKind::COMMENT) {
                    self.last_end = self.at;
                    self.push(kind, start, true);
                }
            }
            StrStep::Error { msg, pos } => {
                self.error
                    .get_or_insert_with(|| format!("{msg} at byte {pos}"));
            }
        }
    }

    fn push(&mut self, kind: SyntaxKind, start: usize, leaf: bool) -> Id {
        let id = self.nodes.len();
        self.nodes.push(Node {
            kind,
            start: start as u32,
            end: self.at as u32,
            parent: self.open.last().copied().unwrap_or(0) as u32,
            next: id as u32 + 1,
        });
        self.leaves.push(leaf);
        id
    }
}

/// What the tokens alone show.
struct Seen {
    /// How many tokens may lie within each other.
    nesting: usize,
    /// Where quoted tokens end.
    quoted: Vec<usize>,
}

fn scan(text: &str) -> Result<Seen, Reason> {
    let mut seen = Seen {
        nesting: 0,
        quoted: Vec::new(),
    };
    let mut levels = Levels::default();
    for token in Lexer::new(text) {
        let end = token.start + token.text.len();
        match token.kind {
            Kind::Unterminated => {
                return Err(Reason::NotUnderstood(
                    "a string or comment that never ends".into(),
                ));
            }
            // The other lexer reads what continues an E'…' by other rules.
            Kind::EscapedText if token.text.starts_with('\'') => {
                return Err(Reason::NotUnderstood("a continued E'…' constant".into()));
            }
            Kind::Text | Kind::EscapedText | Kind::DollarText | Kind::QuotedName => {
                seen.quoted.push(end);
            }
            _ => {}
        }
        seen.nesting = seen.nesting.max(levels.step(&token));
    }
    Ok(seen)
}

/// What begins a statement within another; and CASE, as recovery from errors in it
/// does not stop at commas.
const NESTING: &[&str] = &[
    "atomic", "case", "create", "declare", "do", "explain", "prepare", "with",
];

/// The grammar recurses over all sorts of tokens, also where it recovers from
/// errors, but not past a comma, nor past the bracket that a token stands in;
/// statements within statements go on past both.
#[derive(Default)]
struct Levels {
    /// Words of `NESTING`.
    statements: usize,
    /// Of each open bracket: tokens since it or since the last comma in it.
    open: Vec<usize>,
    /// Of the innermost one.
    tokens: usize,
    /// All of `open` together.
    outside: usize,
}

impl Levels {
    /// How many tokens this one may lie within.
    fn step(&mut self, token: &Token<'_>) -> usize {
        self.tokens += 1;
        if token.kind == Kind::Symbol {
            match token.text {
                "(" | "[" => {
                    self.open.push(self.tokens);
                    self.outside += self.tokens;
                    self.tokens = 0;
                }
                ")" | "]" => {
                    self.tokens = self.open.pop().unwrap_or(self.tokens);
                    self.outside = self.outside.saturating_sub(self.tokens);
                }
                "," => self.tokens = 0,
                _ => {}
            }
        } else if token.kind == Kind::Word && NESTING.iter().any(|word| token.is_word(word)) {
            self.statements += 1;
        }
        self.statements + self.outside + self.tokens
    }
}
