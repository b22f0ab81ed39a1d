//! From text to syntax tree, by way of `hcl-edit`.
//!
//! Each expression is parsed by itself, with the strings inside it masked: our strings differ from HCL's (`%{` is text,
//! IAM policy variables pass through), and the parser never has to recurse into one. The mask keeps every byte's place,
//! so spans hold, and it is one-to-one, so that keys which differ still differ.

use std::ops::Range;

use hcl_edit::Span as _;
use hcl_edit::expr::{self as hcl, Expression as Hcl};

use super::ast::{BinaryOperator, Call, Expr, For, Node, Part, Reach, ReachKind, UnaryOperator};
use super::functions;
use super::scanner::{self, Hole, Mistake, Piece};
use super::{KIND, MOST_ERRORS, UNKNOWN_FUNCTION};
use crate::value::Value;

/// How deep the syntax tree may be; chains of operators count, one level each.
const DEPTH: usize = 160;
/// How many steps one traversal may have; no value is deeper.
const REACHES: usize = 64;

/// Parses a whole text. Fails with all mistakes.
pub(super) fn template(text: &str) -> Result<Vec<Part>, Vec<Mistake>> {
    let pieces = scanner::scan(text).map_err(|mistake| vec![mistake])?;
    let mut parser = Parser { text, depth: 0, mistakes: Vec::new() };
    let parts = parser.parts(pieces);
    if parser.mistakes.is_empty() { Ok(parts) } else { Err(parser.mistakes) }
}

/// Parses a text that is one expression, with `${` in front of it and a line end and `}` behind. Fails with all mistakes.
pub(super) fn expression(wrapped: &str) -> Result<Vec<Part>, Vec<Mistake>> {
    let pieces = scanner::scan(wrapped).map_err(|mistake| vec![mistake])?;
    let end = match pieces.as_slice() {
        [Piece::Hole(hole), ..] => hole.range.end,
        _ => 0,
    };
    if end + 1 < wrapped.len() {
        return Err(vec![Mistake::new(end..end + 1, "this `}` closes nothing").help("take it out, or open it before")]);
    }
    let mut parser = Parser { text: wrapped, depth: 0, mistakes: Vec::new() };
    let parts = parser.parts(pieces);
    if parser.mistakes.is_empty() { Ok(parts) } else { Err(parser.mistakes) }
}

struct Parser<'a> {
    text: &'a str,
    depth: usize,
    mistakes: Vec<Mistake>,
}

impl Parser<'_> {
    fn parts(&mut self, pieces: Vec<Piece>) -> Vec<Part> {
        pieces
            .into_iter()
            .filter_map(|piece| match piece {
                Piece::Literal(text) => Some(Part::Literal(text)),
                Piece::Hole(_) if self.mistakes.len() >= MOST_ERRORS => None,
                Piece::Hole(hole) => match self.hole(&hole) {
                    Ok(expr) => Some(Part::Expression(expr)),
                    Err(mistake) => {
                        self.mistakes.push(mistake);
                        None
                    }
                },
            })
            .collect()
    }

    fn hole(&mut self, hole: &Hole) -> Result<Expr, Mistake> {
        let masked = self.mask(hole);
        match hcl_edit::parser::parse_expr(&masked) {
            // The parentheses around it all are the mask's, one byte in front.
            Ok(Hcl::Parenthesis(tree)) => {
                Expressions { parser: self, shift: hole.range.start.saturating_sub(1) }.convert(tree.inner())
            }
            Ok(_) => Err(Mistake::new(hole.range.clone(), "this is not one expression")),
            Err(error) => Err(self.mistake(hole, &masked, &error)),
        }
    }

    /// The expression in parentheses (inside which newlines mean nothing), its strings masked.
    fn mask(&self, hole: &Hole) -> String {
        let mut masked = String::with_capacity(hole.range.len() + 3);
        masked.push('(');
        let mut at = hole.range.start;
        for string in &hole.strings {
            masked.push_str(self.text.get(at..string.start).unwrap_or_default());
            masked.extend(self.text.get(string.clone()).unwrap_or_default().chars().map(|c| match c {
                '$' => '\u{1}',
                '%' => '\u{2}',
                '"' => '\u{3}',
                '\\' => '\u{4}',
                '\n' => '\u{5}',
                '\r' => '\u{6}',
                c => c,
            }));
            at = string.end;
        }
        masked.push_str(self.text.get(at..hole.range.end).unwrap_or_default());
        // A comment that runs to the end of the line must not swallow the parenthesis.
        masked.push_str("\n)");
        masked
    }

    fn mistake(&self, hole: &Hole, masked: &str, error: &hcl_edit::parser::Error) -> Mistake {
        let found = error.location().offset();
        let at = (hole.range.start + found).saturating_sub(1).clamp(hole.range.start, hole.range.end);
        let message = error.message();
        if message.contains("at most 64 nested levels") {
            return Mistake::limit(at..at + 1, "this nests more than 64 deep");
        }
        if message.contains("at most 128 chained") {
            return Mistake::limit(at..at + 1, "more than 128 operators in a row");
        }
        if message.contains("unique object key") {
            return Mistake::new(at..at + 1, "this key is there twice").help("take one of them out");
        }
        if at >= hole.range.end || masked.get(found..).is_none_or(|rest| rest.trim() == ")") {
            let end = hole.range.end;
            return Mistake::new(end.saturating_sub(1)..end, "the expression is not complete")
                .help("write the rest before the `}`");
        }
        let word = self.text.get(at..).unwrap_or_default();
        let unexpected = match word.chars().next() {
            Some(c) if c.is_alphanumeric() || c == '_' => {
                word.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == '-')).next().unwrap_or_default()
            }
            Some(c) => word.get(..c.len_utf8()).unwrap_or_default(),
            None => "",
        };
        let mistake = Mistake::new(at..at + unexpected.len().max(1), format!("unexpected `{unexpected}`"));
        match unexpected {
            "=" => mistake.help("to compare, write `==`"),
            "&" => mistake.help("write `&&`"),
            "|" => mistake.help("write `||`"),
            "and" | "or" | "not" => mistake.help("write `&&`, `||` and `!`"),
            _ => mistake,
        }
    }
}

/// Converts the tree of one hole.
struct Expressions<'p, 'a> {
    parser: &'p mut Parser<'a>,
    /// What is to be added to an offset in the masked text.
    shift: usize,
}

impl Expressions<'_, '_> {
    fn range(&self, span: Option<Range<usize>>) -> Range<usize> {
        let span = span.unwrap_or_default();
        span.start + self.shift..span.end + self.shift
    }

    fn convert(&mut self, tree: &Hcl) -> Result<Expr, Mistake> {
        let range = self.range(tree.span());
        if self.parser.depth >= DEPTH {
            return Err(Mistake::limit(range, "this expression nests too deep"));
        }
        self.parser.depth += 1;
        let node = self.node(tree, &range);
        self.parser.depth -= 1;
        Ok(Expr { node: node?, range })
    }

    fn boxed(&mut self, tree: &Hcl) -> Result<Box<Expr>, Mistake> {
        self.convert(tree).map(Box::new)
    }

    fn node(&mut self, tree: &Hcl, range: &Range<usize>) -> Result<Node, Mistake> {
        Ok(match tree {
            Hcl::Null(_) => Node::Literal(Value::Null),
            Hcl::Bool(value) => Node::Literal(Value::Bool(*value.value())),
            Hcl::Number(number) => Node::Literal(self.number(number.value(), range)?),
            Hcl::String(_) => self.string(range)?,
            Hcl::Array(items) => Node::List(items.iter().map(|item| self.convert(item)).collect::<Result<_, _>>()?),
            Hcl::Object(object) => Node::Object(
                object.iter().map(|(key, value)| Ok((self.key(key)?, self.convert(value.expr())?))).collect::<Result<
                    _,
                    Mistake,
                >>(
                )?,
            ),
            // The parentheses stay in the range, not in the tree.
            Hcl::Parenthesis(inner) => self.convert(inner.inner())?.node,
            Hcl::Variable(name) => Node::Name(name.as_str().to_owned()),
            Hcl::Conditional(conditional) => Node::Conditional {
                condition: self.boxed(&conditional.cond_expr)?,
                yes: self.boxed(&conditional.true_expr)?,
                no: self.boxed(&conditional.false_expr)?,
            },
            Hcl::FuncCall(call) => self.call(call, range)?,
            Hcl::Traversal(traversal) if traversal.operators.len() > REACHES => {
                return Err(Mistake::limit(range.clone(), "this has more than 64 steps"));
            }
            Hcl::Traversal(traversal) => Node::Traverse {
                base: self.boxed(&traversal.expr)?,
                reaches: traversal
                    .operators
                    .iter()
                    .map(|operator| {
                        let range = self.range(operator.span());
                        Ok(Reach { kind: self.reach(operator.value(), &range)?, range })
                    })
                    .collect::<Result<_, Mistake>>()?,
            },
            Hcl::UnaryOp(operation) => Node::Unary {
                operator: match operation.operator.value() {
                    hcl::UnaryOperator::Neg => UnaryOperator::Negate,
                    hcl::UnaryOperator::Not => UnaryOperator::Not,
                },
                operand: self.boxed(&operation.expr)?,
            },
            Hcl::BinaryOp(operation) => Node::Binary {
                operator: binary(*operation.operator.value()),
                left: self.boxed(&operation.lhs_expr)?,
                right: self.boxed(&operation.rhs_expr)?,
            },
            Hcl::ForExpr(each) => Node::For(Box::new(For {
                key_name: each.intro.key_var.as_ref().map(|name| name.as_str().to_owned()),
                value_name: each.intro.value_var.as_str().to_owned(),
                collection: self.convert(&each.intro.collection_expr)?,
                key: each.key_expr.as_ref().map(|key| self.convert(key)).transpose()?,
                value: self.convert(&each.value_expr)?,
                grouping: each.grouping,
                condition: each.cond.as_ref().map(|condition| self.convert(&condition.expr)).transpose()?,
            })),
            Hcl::StringTemplate(_) | Hcl::HeredocTemplate(_) => {
                return Err(Mistake::new(range.clone(), "heredocs are not supported"));
            }
        })
    }

    /// Read from the text, because the parser turns integers beyond 64 bits into floats.
    fn number(&self, number: &hcl_edit::Number, range: &Range<usize>) -> Result<Value, Mistake> {
        let text: String =
            self.parser.text.get(range.clone()).unwrap_or_default().split_whitespace().collect::<Vec<_>>().concat();
        if text.bytes().all(|b| b.is_ascii_digit() || b == b'-') {
            return text.parse().map(Value::Integer).map_err(|_| Mistake {
                code: super::ARITHMETIC,
                ..Mistake::new(range.clone(), "this number does not fit into 64 bits")
            });
        }
        match number.as_i64() {
            Some(value) => Ok(Value::Integer(value)),
            None => Ok(Value::Float(number.as_f64().unwrap_or_default())),
        }
    }

    fn string(&mut self, range: &Range<usize>) -> Result<Node, Mistake> {
        let content = range.start + 1..range.end.saturating_sub(1);
        let pieces = scanner::scan_quoted(self.parser.text, content)?;
        let mut parts = self.parser.parts(pieces);
        match parts.pop() {
            None => Ok(Node::Literal(Value::String(String::new()))),
            Some(Part::Literal(text)) if parts.is_empty() => Ok(Node::Literal(Value::String(text))),
            Some(last) => {
                parts.push(last);
                Ok(Node::Template(parts))
            }
        }
    }

    fn key(&mut self, key: &hcl::ObjectKey) -> Result<Expr, Mistake> {
        match key {
            hcl::ObjectKey::Ident(name) => Ok(Expr {
                node: Node::Literal(Value::String(name.as_str().to_owned())),
                range: self.range(name.span()),
            }),
            hcl::ObjectKey::Expression(expr) => self.convert(expr),
        }
    }

    fn reach(&mut self, operator: &hcl::TraversalOperator, range: &Range<usize>) -> Result<ReachKind, Mistake> {
        Ok(match operator {
            hcl::TraversalOperator::GetAttr(name) => ReachKind::Key(name.as_str().to_owned()),
            hcl::TraversalOperator::Index(index) => ReachKind::Index(self.boxed(index)?),
            hcl::TraversalOperator::LegacyIndex(index) => {
                let index = i64::try_from(*index.value())
                    .map_err(|_| Mistake::new(range.clone(), "this index does not fit into 64 bits"))?;
                let node = Node::Literal(Value::Integer(index));
                ReachKind::Index(Box::new(Expr { node, range: range.clone() }))
            }
            hcl::TraversalOperator::AttrSplat(_) => ReachKind::EachKey,
            hcl::TraversalOperator::FullSplat(_) => ReachKind::Each,
        })
    }

    fn call(&mut self, call: &hcl::FuncCall, range: &Range<usize>) -> Result<Node, Mistake> {
        let name = call.name.name.as_str();
        let place = self.range(call.name.name.span());
        if call.name.is_namespaced() {
            return Err(Mistake {
                code: UNKNOWN_FUNCTION,
                ..Mistake::new(range.clone(), "there are no functions with `::` in their name")
                    .help("call one by its name alone, `upper(…)`")
            });
        }
        let Some(function) = functions::find(name) else {
            // The arguments may be wrong too.
            for argument in call.args.iter() {
                if let Err(mistake) = self.convert(argument) {
                    self.parser.mistakes.push(mistake);
                }
            }
            let message = format!("there is no function `{name}`");
            return Err(Mistake {
                code: UNKNOWN_FUNCTION,
                ..Mistake::new(place, message).help(functions::instead(name))
            });
        };
        let arguments: Vec<Expr> =
            call.args.iter().map(|argument| self.convert(argument)).collect::<Result<_, Mistake>>()?;
        let spread = call.args.expand_final() && !arguments.is_empty();
        if spread && !function.spreads() {
            let mistake = Mistake::new(range.clone(), format!("`{name}` takes no `...`"));
            return Err(mistake.help(format!("it is {}", function.signature)));
        }
        let given = arguments.len();
        let too_few = given < function.least() && !spread;
        let too_many = function.most().is_some_and(|most| given - usize::from(spread) > most);
        if too_few || too_many {
            let message = format!("`{name}` was given {}", functions::arguments_in_words(given));
            let mistake = Mistake::new(range.clone(), message).help(format!("it is {}", function.signature));
            return Err(Mistake { code: KIND, ..mistake });
        }
        Ok(Node::Call(Call { function, arguments, spread }))
    }
}

fn binary(operator: hcl::BinaryOperator) -> BinaryOperator {
    match operator {
        hcl::BinaryOperator::Eq => BinaryOperator::Equal,
        hcl::BinaryOperator::NotEq => BinaryOperator::Unequal,
        hcl::BinaryOperator::LessEq => BinaryOperator::LessOrEqual,
        hcl::BinaryOperator::GreaterEq => BinaryOperator::GreaterOrEqual,
        hcl::BinaryOperator::Less => BinaryOperator::Less,
        hcl::BinaryOperator::Greater => BinaryOperator::Greater,
        hcl::BinaryOperator::Plus => BinaryOperator::Add,
        hcl::BinaryOperator::Minus => BinaryOperator::Subtract,
        hcl::BinaryOperator::Mul => BinaryOperator::Multiply,
        hcl::BinaryOperator::Div => BinaryOperator::Divide,
        hcl::BinaryOperator::Mod => BinaryOperator::Remainder,
        hcl::BinaryOperator::And => BinaryOperator::And,
        hcl::BinaryOperator::Or => BinaryOperator::Or,
    }
}
