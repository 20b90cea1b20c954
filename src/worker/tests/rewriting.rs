//! A rewritten module computes what the module computed.
#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    reason = "a test is allowed to panic, and bytes are cut off on purpose"
)]

mod lab;

use bytes::Bytes;
use fastrand::Rng;
use ganglion_registry::Interruption;
use ganglion_types::{Answer, End, ErrorKind};
use lab::Lab;
use lab::program::Program;
use wasmtime::{Engine, Linker, Module, Store};

const WAYS: [Interruption; 3] = [Interruption::Never, Interruption::Poll, Interruption::Epoch];

/// What a call comes to, to be compared.
fn outcome(answer: Answer) -> (String, Option<Bytes>, Bytes) {
    (format!("{:?}", answer.end), answer.output, answer.stdout)
}

fn committed(name: &str) -> Vec<u8> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../funcs/wasm");
    std::fs::read(format!("{folder}/{name}.wasm")).unwrap()
}

/// Text with long and short words and lines, and bytes that are no text.
fn text(random: &mut Rng) -> Vec<u8> {
    let bytes = random.usize(..=4096);
    let alphabet = random.choice([&b"ab \n"[..], b"the quick \t brown\nfox", b"\0\xff\n x"]);
    let alphabet = alphabet.unwrap();
    (0..bytes)
        .map(|_| alphabet[random.usize(..alphabet.len())])
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn committed_functions_give_the_same_answers_however_they_are_interrupted() {
    let labs = WAYS.map(Lab::interrupted_by);
    let functions = [
        ("hello", ""),
        ("noop", ""),
        ("zygote", ""),
        ("echo", "some input"),
        ("get", "text"),
        ("wordcount", "text"),
        ("wordcount-rs", "text"),
        ("scan", "text e"),
        ("scan", "text"),
        ("put", "written value of it"),
        ("get", "written"),
        ("kernels", "text sum"),
        ("kernels", "text lines"),
        ("kernels", "text sha256"),
        ("kernels", "text queens"),
        ("kernels", "text nothing"),
        ("wordcount", "absent"),
    ];
    let mut random = Rng::with_seed(1);
    for round in 0..20 {
        let text = text(&mut random);
        let mut expected = Vec::new();
        for lab in &labs {
            lab.put("text", &text).await;
            let mut outcomes = Vec::new();
            for (name, input) in functions {
                let module = lab.add_wasm(committed(name)).await;
                outcomes.push((name, input, outcome(lab.run(module, input).await)));
            }
            if expected.is_empty() {
                expected = outcomes;
            } else {
                assert_eq!(outcomes, expected, "round {round}");
            }
        }
    }
}

/// Copies or fills as four numbers of its input say, in 4 MiB in which each byte depends on its place, and answers with all of it.
const MOVES: &str = r#"(module
    (import "env" "__faasm_read_input" (func $in (param i32 i32) (result i32)))
    (import "env" "__faasm_write_output" (func $out (param i32 i32)))
    (memory 65)
    (func (export "_start") (local $i i32)
        (loop $next
            (i32.store8 (local.get $i) (i32.mul (i32.shr_u (local.get $i) (i32.const 7)) (i32.const 73)))
            (br_if $next (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 4194304))))
        (drop (call $in (i32.const 4200000) (i32.const 16)))
        (if (i32.load (i32.const 4200012))
            (then (memory.copy (i32.load (i32.const 4200000)) (i32.load (i32.const 4200004)) (i32.load (i32.const 4200008))))
            (else (memory.fill (i32.load (i32.const 4200000)) (i32.load (i32.const 4200004)) (i32.load (i32.const 4200008)))))
        (call $out (i32.const 0) (i32.const 4194304))))"#;
const MOVES_BYTES: usize = 4 << 20;

#[derive(Clone, Copy, Debug)]
struct Move {
    to: u32,
    from: u32,
    count: u32,
    copies: bool,
}

impl Move {
    fn input(self) -> Vec<u8> {
        [self.to, self.from, self.count, self.copies.into()]
            .iter()
            .flat_map(|number| number.to_le_bytes())
            .collect()
    }

    /// All of the memory afterwards.
    fn expected(self) -> Vec<u8> {
        let mut memory: Vec<u8> = (0..MOVES_BYTES).map(|i| ((i >> 7) * 73) as u8).collect();
        let (to, from, count) = (self.to as usize, self.from as usize, self.count as usize);
        if self.copies {
            memory.copy_within(from..from + count, to);
        } else {
            memory[to..to + count].fill(self.from as u8);
        }
        memory
    }
}

fn a_move(random: &mut Rng) -> Move {
    const MIB: u32 = 1 << 20;
    let end = MOVES_BYTES as u32;
    let near = |random: &mut Rng, of: u32| of.saturating_add(random.u32(..3)).saturating_sub(1);
    let pieces = random.u32(..4) * MIB;
    let count = match random.u32(..4) {
        0 => random.u32(..2000),
        1 => random.u32(..end),
        _ => near(random, pieces).min(end),
    };
    let mut place = || random.u32(..=end - count);
    let (to, from) = (place(), place());
    Move {
        to,
        from: if random.bool() {
            from
        } else {
            near(random, to).min(end - count)
        },
        count,
        copies: random.u32(..3) > 0,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn fills_and_copies_of_any_size_move_what_they_say() {
    let lab = Lab::new();
    let module = lab.add(MOVES).await;
    let mut random = Rng::with_seed(2);
    for round in 0..150 {
        let moved = a_move(&mut random);
        let mut call = lab.call(module, "");
        call.input = moved.input().into();
        call.limits.output_bytes = 1 << 30;
        let answer = lab.execute(call).await.unwrap();
        assert_eq!(answer.end, End::Exited(0), "round {round}, {moved:?}");
        let right = answer.output.unwrap() == moved.expected();
        assert!(right, "round {round}, {moved:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn fills_and_copies_that_do_not_fit_trap_as_such() {
    let lab = Lab::new();
    let module = lab.add(MOVES).await;
    let end = 65 << 16;
    for (to, from, count, copies) in [
        (end, 0, 1, false),
        (0, 0, end + 1, false),
        (end - 1, 0, u32::MAX, false),
        (u32::MAX, 1, 2 << 20, false),
        (0, 1, end, true),
        (1, 0, end, true),
        (0, u32::MAX, 3 << 20, true),
        (u32::MAX, 0, u32::MAX, true),
    ] {
        let moved = Move {
            to,
            from,
            count,
            copies,
        };
        let mut call = lab.call(module, "");
        call.input = moved.input().into();
        match lab.execute(call).await.unwrap().end {
            End::Failed(error) => {
                assert_eq!(error.kind(), ErrorKind::Guest);
                assert!(
                    error.message().contains("outside of the memory"),
                    "{moved:?}: {error}"
                );
            }
            End::Exited(code) => panic!("{moved:?} exited with {code}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fill_that_runs_over_all_of_4_gib_traps_and_does_not_begin_again_at_0() {
    let lab = Lab::new();
    let module = lab
        .add(
            r#"(module (memory 1) (func (export "_start")
                (if (i32.eq (memory.grow (i32.const 65535)) (i32.const -1)) (then (return)))
                (memory.fill (i32.const 0xfff00000) (i32.const 1) (i32.const 0x300000))))"#,
        )
        .await;
    let mut call = lab.call(module, "");
    call.limits.memory_bytes = 4 << 30;
    match lab.execute(call).await.unwrap().end {
        End::Failed(error) => assert!(error.message().contains("outside of the memory")),
        End::Exited(code) => panic!("it exited with {code}"),
    }
}

/// What the module itself gives, run by the engine as it is.
fn unwritten(wasm: &[u8]) -> Vec<u8> {
    let engine = Engine::default();
    let module = Module::new(&engine, wasm).unwrap();
    let mut linker = Linker::new(&engine);
    // What it would write is read from its memory behind the call.
    let write = |_: u32, _: u32| {};
    linker
        .func_wrap("env", "__faasm_write_output", write)
        .unwrap();
    let mut store = Store::new(&engine, ());
    let instance = linker.instantiate(&mut store, &module).unwrap();
    let start = instance
        .get_typed_func::<(), ()>(&mut store, "_start")
        .unwrap();
    start.call(&mut store, ()).unwrap();
    let memory = instance.get_memory(&mut store, "memory");
    memory.unwrap().data(&store)[..70_000].to_vec()
}

#[tokio::test(flavor = "multi_thread")]
async fn programs_drawn_at_random_compute_what_they_did_before() {
    let labs = WAYS.map(Lab::interrupted_by);
    for seed in 0..40 {
        let text = Program::of(seed);
        let wasm = wat::parse_str(&text).unwrap();
        let expected = unwritten(&wasm);
        for (way, lab) in WAYS.iter().zip(&labs) {
            let module = lab.add_wasm(wasm.clone()).await;
            let answer = lab.run(module, "").await;
            assert_eq!(answer.end, End::Exited(0), "{way:?}, seed {seed}");
            let same = answer.output.unwrap() == expected;
            assert!(same, "{way:?}, seed {seed}");
        }
    }
}
