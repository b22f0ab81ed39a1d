//! What an expression names, read off its syntax tree.

use super::ast::{Expr, Node, Part, Reach, ReachKind};
use super::offsets::Origin;
use crate::address::Step;
use crate::diagnostic::Span;
use crate::value::Value;

/// A traversal from a root of the scope, as written: `var.x`, `logs.group.this[each.key].arn`.
#[derive(Debug, Clone, PartialEq)]
pub struct Traversal {
    /// Its steps; the first is the root's name.
    pub segments: Vec<Segment>,
    /// Its place.
    pub span: Option<Span>,
}

/// One step of a traversal.
#[derive(Debug, Clone, PartialEq)]
pub struct Segment {
    /// What it is.
    pub kind: SegmentKind,
    /// Its place: that of `.name` or `[index]`.
    pub span: Option<Span>,
}

/// What a step of a traversal is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SegmentKind {
    /// `.name`, `["key"]`, `[0]`.
    Step(Step),
    /// An index that must be computed.
    Computed,
    /// `[*]`, `.*`.
    Each,
}

impl Traversal {
    /// The steps before the first that must be computed: enough to say which block is meant.
    pub fn steps(&self) -> Vec<Step> {
        self.segments
            .iter()
            .map_while(|segment| match &segment.kind {
                SegmentKind::Step(step) => Some(step.clone()),
                SegmentKind::Computed | SegmentKind::Each => None,
            })
            .collect()
    }
}

/// The traversals of a template.
pub(super) fn of(parts: &[Part], origin: &Origin) -> Vec<Traversal> {
    let mut found = References { origin, bound: Vec::new(), found: Vec::new() };
    for part in parts {
        if let Part::Expression(expr) = part {
            found.visit(expr);
        }
    }
    found.found
}

struct References<'a> {
    origin: &'a Origin,
    bound: Vec<&'a str>,
    found: Vec<Traversal>,
}

impl<'a> References<'a> {
    fn visit(&mut self, expr: &'a Expr) {
        match &expr.node {
            Node::Name(name) => self.root(name, expr, expr, &[]),
            Node::Traverse { base, reaches } => {
                match &base.node {
                    Node::Name(name) => self.root(name, base, expr, reaches),
                    _ => self.visit(base),
                }
                for reach in reaches {
                    if let ReachKind::Index(index) = &reach.kind {
                        self.visit(index);
                    }
                }
            }
            Node::For(each) => {
                self.visit(&each.collection);
                let outside = self.bound.len();
                self.bound.extend(each.key_name.as_deref());
                self.bound.push(&each.value_name);
                for part in [each.key.as_ref(), Some(&each.value), each.condition.as_ref()].into_iter().flatten() {
                    self.visit(part);
                }
                self.bound.truncate(outside);
            }
            Node::Literal(_) => {}
            Node::Template(parts) => {
                for part in parts {
                    if let Part::Expression(expr) = part {
                        self.visit(expr);
                    }
                }
            }
            Node::List(items) => items.iter().for_each(|item| self.visit(item)),
            Node::Object(entries) => entries.iter().for_each(|(key, value)| {
                self.visit(key);
                self.visit(value);
            }),
            Node::Call(call) => call.arguments.iter().for_each(|argument| self.visit(argument)),
            Node::Unary { operand, .. } => self.visit(operand),
            Node::Binary { left, right, .. } => {
                self.visit(left);
                self.visit(right);
            }
            Node::Conditional { condition, yes, no } => {
                self.visit(condition);
                self.visit(yes);
                self.visit(no);
            }
        }
    }

    fn root(&mut self, name: &str, root: &Expr, whole: &Expr, reaches: &[Reach]) {
        if self.bound.contains(&name) {
            return;
        }
        let first =
            Segment { kind: SegmentKind::Step(Step::Key(name.to_owned())), span: self.origin.span(root.range.clone()) };
        let rest = reaches
            .iter()
            .map(|reach| Segment { kind: segment(&reach.kind), span: self.origin.span(reach.range.clone()) });
        let segments = std::iter::once(first).chain(rest).collect();
        self.found.push(Traversal { segments, span: self.origin.span(whole.range.clone()) });
    }
}

fn segment(reach: &ReachKind) -> SegmentKind {
    match reach {
        ReachKind::Key(key) => SegmentKind::Step(Step::Key(key.clone())),
        ReachKind::Each | ReachKind::EachKey => SegmentKind::Each,
        ReachKind::Index(index) => match &index.node {
            Node::Literal(Value::String(key)) => SegmentKind::Step(Step::Key(key.clone())),
            Node::Literal(Value::Integer(index)) => match usize::try_from(*index) {
                Ok(index) => SegmentKind::Step(Step::Index(index)),
                Err(_) => SegmentKind::Computed,
            },
            _ => SegmentKind::Computed,
        },
    }
}
