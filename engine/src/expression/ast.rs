//! The syntax tree: HCL's expressions without what only a formatter needs.

use std::ops::Range;

use super::functions::Function;
use crate::value::Value;

/// An expression and where it stands in the template's text. The text at that range is an expression by itself.
#[derive(Debug, Clone)]
pub(super) struct Expr {
    pub node: Node,
    pub range: Range<usize>,
}

#[derive(Debug, Clone)]
pub(super) enum Node {
    /// null, true, false, a number.
    Literal(Value),
    /// A quoted string.
    Template(Vec<Part>),
    /// `[a, b]`.
    List(Vec<Expr>),
    /// `{ a = b }`; a bare key is a literal.
    Object(Vec<(Expr, Expr)>),
    /// The beginning of a traversal: a root of the scope or a variable of a `for`.
    Name(String),
    /// `base.key`, `base[index]`, `base[*].key`.
    Traverse { base: Box<Expr>, reaches: Vec<Reach> },
    /// `f(a, b...)`.
    Call(Call),
    /// `!a`, `-a`.
    Unary { operator: UnaryOperator, operand: Box<Expr> },
    /// `a + b`.
    Binary { operator: BinaryOperator, left: Box<Expr>, right: Box<Expr> },
    /// `condition ? yes : no`.
    Conditional { condition: Box<Expr>, yes: Box<Expr>, no: Box<Expr> },
    /// `[for …]` and `{for …}`.
    For(Box<For>),
}

/// A part of a string.
#[derive(Debug, Clone)]
pub(super) enum Part {
    /// Text, unescaped.
    Literal(String),
    /// `${…}`.
    Expression(Expr),
}

/// One step of a traversal.
#[derive(Debug, Clone)]
pub(super) struct Reach {
    pub kind: ReachKind,
    pub range: Range<usize>,
}

#[derive(Debug, Clone)]
pub(super) enum ReachKind {
    /// `.key`.
    Key(String),
    /// `[index]`, `.0`.
    Index(Box<Expr>),
    /// `[*]`: all that follows is done to each element.
    Each,
    /// `.*`: the keys that follow directly are taken from each element.
    EachKey,
}

#[derive(Debug, Clone)]
pub(super) struct Call {
    pub function: &'static Function,
    pub arguments: Vec<Expr>,
    /// `f(list...)`: the last argument is a list of arguments.
    pub spread: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum UnaryOperator {
    Not,
    Negate,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BinaryOperator {
    Equal,
    Unequal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
    And,
    Or,
}

#[derive(Debug, Clone)]
pub(super) struct For {
    pub key_name: Option<String>,
    pub value_name: String,
    pub collection: Expr,
    /// Present in `{for … : key => value}`.
    pub key: Option<Expr>,
    pub value: Expr,
    /// `{for … : key => value...}`: values of one key are gathered in a list.
    pub grouping: bool,
    pub condition: Option<Expr>,
}
