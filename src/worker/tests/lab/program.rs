//! Guests that nobody wrote.

use fastrand::Rng;
use std::fmt::Write;

/// Programs of nested blocks, loops, branches, tables of branches and calls that end soon, whatever is drawn.
pub struct Program {
    random: Rng,
    text: String,
    /// Labels around the place that is written: whether a branch to it goes back, for which there is no end in sight.
    labels: Vec<bool>,
    loops: usize,
}

impl Program {
    const FUNCTIONS: usize = 4;
    const LOCALS: usize = 24;

    /// Its text: it answers with its memory up to 70,000, what it computed included.
    pub fn of(seed: u64) -> String {
        let mut program = Self {
            random: Rng::with_seed(seed),
            text: String::new(),
            labels: Vec::new(),
            loops: 0,
        };
        program.text.push_str(
            r#"(module
            (import "env" "__faasm_write_output" (func $out (param i32 i32)))
            (memory (export "memory") 2 5)
            (global $g (mut i32) (i32.const 11))
            (type $unary (func (param i32) (result i32)))
            (table funcref (elem $f0 $f1 $f2 $f3))"#,
        );
        for index in 0..Self::FUNCTIONS {
            program.function(index);
        }
        program.text.push_str(
            r#"(func (export "_start") (local $x i32)
            (local.set $x (call $f3 (i32.const 5)))
            (i32.store (i32.const 1000) (i32.add (local.get $x) (global.get $g)))
            (i32.store (i32.const 1004) (memory.size))
            (call $out (i32.const 0) (i32.const 70000))))"#,
        );
        program.text
    }

    fn function(&mut self, index: usize) {
        self.loops = 0;
        let _ = write!(self.text, "(func $f{index} (type $unary) (local $x i32)");
        for local in 0..Self::LOCALS {
            let _ = write!(self.text, "(local $i{local} i32)");
        }
        self.text.push_str("(local.set $x (local.get 0))");
        self.statements(index, 4);
        self.text.push_str("(local.get $x))\n");
    }

    fn statements(&mut self, function: usize, depth: usize) {
        for _ in 0..self.random.usize(1..4) {
            self.statement(function, depth);
        }
    }

    fn statement(&mut self, function: usize, depth: usize) {
        let constant = self.random.i32(..);
        match self.random.u32(..if depth == 0 { 6 } else { 11 }) {
            0 => self.set(&format!("i32.mul (i32.add (local.get $x) (i32.const {constant})) (i32.const 31)")),
            1 => self.set(&format!("i32.rotl (i32.xor (local.get $x) (i32.const {constant})) (i32.const 7)")),
            2 => self.text.push_str(
                "(i32.store offset=16 (i32.and (local.get $x) (i32.const 0xfff8)) (local.get $x))",
            ),
            3 => self.set("i32.add (local.get $x) (i32.load (i32.and (local.get $x) (i32.const 0xffff)))"),
            4 => self.text.push_str("(global.set $g (i32.add (global.get $g) (local.get $x)))"),
            5 if function > 0 => self.call(function),
            5 => self.set("i32.add (local.get $x) (memory.grow (i32.and (local.get $x) (i32.const 1)))"),
            6 => self.text.push_str(
                "(memory.copy (i32.and (local.get $x) (i32.const 0xfff)) (i32.const 4096) (i32.and (local.get $x) (i32.const 0xff)))",
            ),
            7 => self.choice(function, depth),
            8 => self.block(function, depth),
            _ => self.bounded_loop(function, depth),
        }
    }

    fn set(&mut self, value: &str) {
        let _ = write!(self.text, "(local.set $x ({value}))");
    }

    /// Only functions before it are called, so that no recursion is without end.
    fn call(&mut self, function: usize) {
        let callee = self.random.usize(..function);
        if self.random.bool() {
            self.set(&format!("call $f{callee} (local.get $x)"));
        } else {
            self.set(&format!(
                "call_indirect (type $unary) (local.get $x) (i32.const {callee})"
            ));
        }
    }

    fn choice(&mut self, function: usize, depth: usize) {
        let bit = self.random.u32(..8);
        let _ = write!(
            self.text,
            "(if (i32.and (local.get $x) (i32.const {})) (then ",
            1 << bit
        );
        self.labels.push(false);
        self.statements(function, depth - 1);
        self.text.push_str(") (else ");
        self.statements(function, depth - 1);
        self.labels.pop();
        self.text.push_str("))");
    }

    fn block(&mut self, function: usize, depth: usize) {
        self.text.push_str("(block ");
        self.labels.push(false);
        self.statements(function, depth - 1);
        self.leave();
        self.statements(function, depth - 1);
        self.labels.pop();
        self.text.push(')');
    }

    /// Goes three times round at most, however often it is come to: what counts its rounds is never set back.
    fn bounded_loop(&mut self, function: usize, depth: usize) {
        if self.loops == Self::LOCALS {
            return;
        }
        let counter = self.loops;
        self.loops += 1;
        self.text.push_str("(loop ");
        self.labels.push(true);
        self.statements(function, depth - 1);
        self.leave();
        let _ = write!(
            self.text,
            "(br_if 0 (i32.lt_u (local.tee $i{counter} (i32.add (local.get $i{counter}) (i32.const 1))) (i32.const 4)))"
        );
        self.labels.pop();
        self.text.push(')');
    }

    /// A branch to one of the labels that it goes forward to, or a table of them.
    fn leave(&mut self) {
        let outwards = self.labels.iter().rev().enumerate();
        let forward: Vec<usize> = outwards
            .filter(|(_, back)| !**back)
            .map(|(depth, _)| depth)
            .collect();
        let (Some(one), Some(other)) = (self.random.choice(&forward), self.random.choice(&forward))
        else {
            return;
        };
        // In a block of its own, behind which is what no branch jumps over.
        let _ = match self.random.u32(..3) {
            0 => write!(
                self.text,
                "(br_if {one} (i32.and (local.get $x) (i32.const 2)))"
            ),
            1 => write!(
                self.text,
                "(block (br_table 0 {} {} (i32.and (local.get $x) (i32.const 3))))",
                one + 1,
                other + 1
            ),
            _ => Ok(()),
        };
    }
}
