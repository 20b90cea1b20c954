//! The code section, copied function by function with what the host needs replaced and added.

use crate::added::Added;
use crate::blueprint::Blueprint;
use crate::bulk::Bulk;
use crate::engine::Interruption;
use crate::heap::Heap;
use crate::poll::poll;
use ganglion_types::{Error, Result};
use std::ops::Range;
use wasm_encoder::{CodeSection, Encode, Instruction};
use wasmparser::{BinaryReader, BinaryReaderError, CodeSectionReader, FunctionBody, Operator};

/// What is done to a module's functions.
pub(crate) struct Edits {
    /// The functions that are added.
    pub(crate) added: Added,
    /// The instructions that see the memory's size are replaced.
    pub(crate) heap: Option<Heap>,
    /// Those that move much of it are, too.
    bulk: Option<Bulk>,
    /// What stands where functions and loops begin; empty when they do not poll.
    poll: Vec<u8>,
}

impl Edits {
    /// What has to be done to this module, for an engine that interrupts in that way.
    pub(crate) fn of(blueprint: &Blueprint, interruption: Interruption) -> Result<Self> {
        let polls = interruption == Interruption::Poll;
        let poll = if polls { poll() } else { Vec::new() };
        let mut added = Added::none(blueprint)?;
        Ok(Self {
            heap: Heap::of(blueprint, &mut added)?,
            bulk: Bulk::of(blueprint, &poll, &mut added),
            added,
            poll,
        })
    }

    /// Whether every function stays as it is.
    pub(crate) fn are_none(&self) -> bool {
        self.added.is_empty() && self.poll.is_empty()
    }

    /// The code section at that place of the module, edited.
    pub(crate) fn section(&self, wasm: &[u8], section: Range<usize>) -> Result<CodeSection> {
        let reader = BinaryReader::new(&wasm[section.clone()], section.start);
        let mut code = CodeSection::new();
        for body in CodeSectionReader::new(reader).map_err(malformed)? {
            let body = body.and_then(|body| self.body(wasm, &body));
            code.raw(&body.map_err(malformed)?);
        }
        for body in self.added.bodies() {
            code.function(body);
        }
        Ok(code)
    }

    fn body(&self, wasm: &[u8], body: &FunctionBody<'_>) -> Result<Vec<u8>, BinaryReaderError> {
        let (range, mut operators) = (body.range(), body.get_operators_reader()?);
        let mut out = Vec::with_capacity(range.len() + 32);
        let mut copied = operators.original_position();
        out.extend_from_slice(&wasm[range.start..copied]);
        out.extend_from_slice(&self.poll);
        let mut constant = None;
        while !operators.eof() {
            let begin = operators.original_position();
            let operator = operators.read()?;
            let end = operators.original_position();
            if let Some(replacement) = self.instead(&operator, constant) {
                out.extend_from_slice(&wasm[copied..begin]);
                replacement.encode(&mut out);
                copied = end;
            } else if matches!(operator, Operator::Loop { .. }) {
                out.extend_from_slice(&wasm[copied..end]);
                out.extend_from_slice(&self.poll);
                copied = end;
            }
            constant = match operator {
                Operator::I32Const { value } => Some(value.cast_unsigned()),
                _ => None,
            };
        }
        out.extend_from_slice(&wasm[copied..range.end]);
        Ok(out)
    }

    /// `before`: the constant that the instruction before it leaves.
    fn instead(
        &self,
        operator: &Operator<'_>,
        before: Option<u32>,
    ) -> Option<Instruction<'static>> {
        let heap = self.heap.as_ref().and_then(|heap| heap.instead(operator));
        let bulk = self.bulk.as_ref();
        heap.or_else(|| bulk?.instead(operator, before).map(Instruction::Call))
    }
}

#[allow(clippy::needless_pass_by_value, reason = "the shape of map_err")]
fn malformed(error: BinaryReaderError) -> Error {
    Error::invalid(format!("the module is malformed: {}", error.message()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::poll::POLL_ADDRESS;
    use crate::rewrite::rewrite;
    use ganglion_types::ModuleLimits;
    use wasmparser::{Parser, Payload};

    /// Whether that is what a poll begins with, and its address.
    fn polls(operators: &[Operator<'_>], at: usize) -> bool {
        matches!(
            operators.get(at..at + 3),
            Some([
                Operator::I32Const { value },
                Operator::I32AtomicLoad8U { memarg },
                Operator::Drop,
            ]) if u64::from(value.cast_unsigned()) + memarg.offset == POLL_ADDRESS
        )
    }

    /// Functions and loops, and how many of them poll first.
    fn places_and_polls(wasm: &[u8]) -> (usize, usize) {
        let (mut places, mut polling) = (0, 0);
        for payload in Parser::new(0).parse_all(wasm) {
            let Payload::CodeSectionEntry(body) = payload.unwrap() else {
                continue;
            };
            let operators: Result<Vec<_>, _> =
                body.get_operators_reader().unwrap().into_iter().collect();
            let operators = operators.unwrap();
            let is_loop = |at: &usize| matches!(operators[*at], Operator::Loop { .. });
            let behind_loops = (0..operators.len()).filter(is_loop).map(|at| at + 1);
            for at in std::iter::once(0).chain(behind_loops) {
                places += 1;
                polling += usize::from(polls(&operators, at));
            }
        }
        (places, polling)
    }

    fn rewritten(wasm: &[u8], interruption: Interruption) -> Vec<u8> {
        let blueprint = Blueprint::read(wasm, &ModuleLimits::default()).unwrap();
        rewrite(wasm, &blueprint, interruption).unwrap().wasm
    }

    #[test]
    fn every_function_and_loop_polls_where_guests_poll_and_nowhere_else() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../funcs/wasm");
        for name in ["hello", "noop", "wordcount", "wordcount-rs", "kernels"] {
            let wasm = std::fs::read(format!("{folder}/{name}.wasm")).unwrap();
            let (places, none) = places_and_polls(&rewritten(&wasm, Interruption::Epoch));
            assert_eq!(none, 0, "{name}");
            let (same, polling) = places_and_polls(&rewritten(&wasm, Interruption::Poll));
            assert_eq!(same, places, "{name}");
            // The function that grows the memory does so little that it need not.
            let blueprint = Blueprint::read(&wasm, &ModuleLimits::default()).unwrap();
            let edits = Edits::of(&blueprint, Interruption::Poll).unwrap();
            assert_eq!(
                polling,
                places - usize::from(edits.heap.is_some()),
                "{name}"
            );
        }
    }

    #[test]
    fn what_moves_little_stays_an_instruction() {
        let text = |count: u32| {
            format!(
                r#"(module (memory 100) (func (export "_start")
                    (memory.fill (i32.const 0) (i32.const 1) (i32.const {count}))))"#
            )
        };
        for (count, calls) in [(0, false), (4096, false), (4097, true), (1 << 31, true)] {
            let wasm = wat::parse_str(text(count)).unwrap();
            let rewritten = rewritten(&wasm, Interruption::Never);
            let mut called = false;
            for payload in Parser::new(0).parse_all(&rewritten) {
                if let Payload::CodeSectionEntry(body) = payload.unwrap() {
                    let operators = body.get_operators_reader().unwrap();
                    called |= operators
                        .into_iter()
                        .any(|operator| matches!(operator, Ok(Operator::Call { .. })));
                }
            }
            assert_eq!(called, calls, "{count}");
        }
    }
}
