//! A mapped object that is cut short must fail one call, not the process.
//!
//! The kernel raises SIGBUS where a mapped file has no bytes any more (somebody truncated it) or cannot be read (the
//! disk). The handler looks whether the address lies in a slot; then it maps a page of zeros there, marks the slot torn
//! and returns, so that the access goes on. Any other SIGBUS goes where it went before.

use crate::{PAGE_BYTES, SLOT_BYTES, WINDOW_ALIGN_BYTES};
use std::sync::Once;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Most slots that one process can have.
pub const SLOTS_MAX: usize = 4096;

/// Where the addresses of all slots begin; 0 where there is none. Only atomics: a signal handler reads them.
static BASES: [AtomicUsize; SLOTS_MAX] = [const { AtomicUsize::new(0) }; SLOTS_MAX];
static TORN: [AtomicBool; SLOTS_MAX] = [const { AtomicBool::new(false) }; SLOTS_MAX];

/// The handler that was there before ours: its address and whether it takes the three arguments.
static PREVIOUS: AtomicUsize = AtomicUsize::new(libc::SIG_DFL);
static PREVIOUS_TAKES_INFO: AtomicBool = AtomicBool::new(false);

/// Enters a slot; `None` when there are [`SLOTS_MAX`] already.
pub(crate) fn enter(base: usize) -> Option<usize> {
    static INSTALL: Once = Once::new();
    INSTALL.call_once(install);
    BASES.iter().position(|entry| {
        entry
            .compare_exchange(0, base, Ordering::AcqRel, Ordering::Relaxed)
            .is_ok()
    })
}

/// Strikes a slot out, before its addresses are given back.
pub(crate) fn leave(index: usize) {
    BASES[index].store(0, Ordering::Release);
    TORN[index].store(false, Ordering::Release);
}

/// Whether the slot was torn since the last question.
pub(crate) fn take_torn(index: usize) -> bool {
    // A plain load first: the usual answer costs no locked instruction.
    TORN[index].load(Ordering::Acquire) && TORN[index].swap(false, Ordering::AcqRel)
}

fn install() {
    // SAFETY: `sigaction` is given a handler of the right type for SA_SIGINFO and valid structs; SA_ONSTACK because a
    // guest's stack may be nearly used up; SA_NODEFER is not set, so the handler does not nest.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        let mut previous: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = on_sigbus as *const () as usize;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
        libc::sigemptyset(&raw mut action.sa_mask);
        let installed = libc::sigaction(libc::SIGBUS, &raw const action, &raw mut previous);
        assert_eq!(installed, 0, "installing the SIGBUS handler");
        PREVIOUS.store(previous.sa_sigaction, Ordering::Release);
        PREVIOUS_TAKES_INFO.store(previous.sa_flags & libc::SA_SIGINFO != 0, Ordering::Release);
    }
}

extern "C" fn on_sigbus(
    signal: libc::c_int,
    info: *mut libc::siginfo_t,
    context: *mut libc::c_void,
) {
    // SAFETY: the kernel passes a valid `siginfo_t` for SIGBUS.
    let address = unsafe { (*info).si_addr() }.addr();
    match slot_of(address) {
        Some(index) if put_zeros(address & !(PAGE_BYTES - 1)) => {
            TORN[index].store(true, Ordering::Release);
        }
        _ => pass_on(signal, info, context),
    }
}

fn slot_of(address: usize) -> Option<usize> {
    BASES.iter().position(|base| {
        let base = base.load(Ordering::Acquire);
        base != 0 && (base..base + WINDOW_ALIGN_BYTES + SLOT_BYTES).contains(&address)
    })
}

fn put_zeros(page: usize) -> bool {
    let (protection, flags) = (
        libc::PROT_READ | libc::PROT_WRITE,
        libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED,
    );
    let at = std::ptr::without_provenance_mut(page);
    // SAFETY: the page lies in a slot, whose mappings are ours alone to replace; `mmap` is a bare system call, fit for a
    // signal handler, and errno is not looked at by the interrupted code (it was in the middle of a memory access).
    let mapped = unsafe { libc::mmap(at, PAGE_BYTES, protection, flags, -1, 0) };
    mapped != libc::MAP_FAILED
}

fn pass_on(signal: libc::c_int, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    type WithInfo = extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void);
    type Plain = extern "C" fn(libc::c_int);
    match PREVIOUS.load(Ordering::Acquire) {
        libc::SIG_DFL | libc::SIG_IGN => {
            // SAFETY: puts the default back; the access faults again and the process dies of it, as it would have.
            unsafe { libc::signal(signal, libc::SIG_DFL) };
        }
        previous if PREVIOUS_TAKES_INFO.load(Ordering::Acquire) => {
            // SAFETY: `sigaction` returned this address as a handler with SA_SIGINFO.
            unsafe { std::mem::transmute::<usize, WithInfo>(previous)(signal, info, context) }
        }
        previous => {
            // SAFETY: `sigaction` returned this address as a handler without SA_SIGINFO.
            unsafe { std::mem::transmute::<usize, Plain>(previous)(signal) }
        }
    }
}
