//! A plugin of qemu's that counts the instructions and system calls of a program, thread by thread.
//!
//!     rustc -O --crate-type cdylib packaging/instructions.rs
//!     qemu-aarch64 -plugin ./libinstructions.so,out=counts.json PROGRAM
//!
//! It writes a line of JSON for each thread that has ended or still runs when the program ends. Blocks of
//! instructions are counted when they begin, so that a signal in the middle of one is a few too many. Debian's
//! qemu-user of 7.2 or newer takes plugins; its static twin does not.
#![allow(unsafe_code)] // qemu is spoken to in C

use std::ffi::{CStr, c_char, c_int, c_uint, c_void};
use std::fs;
use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// Of the interface, as qemu's 7.2 has it; newer ones still take it.
#[unsafe(no_mangle)]
pub static qemu_plugin_version: c_int = 1;

/// That a callback looks at no registers.
const NO_REGISTERS: c_int = 0;

type Block = *mut c_void;

unsafe extern "C" {
    fn qemu_plugin_register_vcpu_tb_trans_cb(id: u64, translated: extern "C" fn(u64, Block));
    fn qemu_plugin_register_vcpu_tb_exec_cb(
        block: Block,
        begun: extern "C" fn(c_uint, *mut c_void),
        registers: c_int,
        length: *mut c_void,
    );
    fn qemu_plugin_tb_n_insns(block: Block) -> usize;
    fn qemu_plugin_register_vcpu_syscall_cb(
        id: u64,
        called: extern "C" fn(u64, c_uint, i64, u64, u64, u64, u64, u64, u64, u64, u64),
    );
    fn qemu_plugin_register_vcpu_exit_cb(id: u64, ended: extern "C" fn(u64, c_uint));
    fn qemu_plugin_register_atexit_cb(
        id: u64,
        ended: extern "C" fn(u64, *mut c_void),
        data: *mut c_void,
    );
    fn gettid() -> c_int;
}

/// What one thread has done.
struct Thread {
    id: c_int,
    instructions: AtomicU64,
    calls: AtomicU64,
    /// Known once it has ended.
    name: Mutex<Option<String>>,
}

static THREADS: Mutex<Vec<Arc<Thread>>> = Mutex::new(Vec::new());
static OUT: OnceLock<String> = OnceLock::new();

thread_local! {
    static THIS: Arc<Thread> = {
        // SAFETY: asks for a number and cannot fail.
        let id = unsafe { gettid() };
        let thread = Arc::new(Thread { id, instructions: 0.into(), calls: 0.into(), name: Mutex::default() });
        THREADS.lock().unwrap_or_else(PoisonError::into_inner).push(thread.clone());
        thread
    };
}

impl Thread {
    fn name_now(&self) -> String {
        let name =
            fs::read_to_string(format!("/proc/self/task/{}/comm", self.id)).unwrap_or_default();
        name.trim().replace(['"', '\\'], "")
    }
}

/// Nobody else writes a thread's own numbers, so that no lock of the bus is needed.
fn add(number: &AtomicU64, more: u64) {
    number.store(number.load(Relaxed) + more, Relaxed);
}

extern "C" fn translated(_id: u64, block: Block) {
    // SAFETY: qemu hands in a block that it has just translated; its length is carried in place of a pointer.
    unsafe {
        let length = qemu_plugin_tb_n_insns(block);
        qemu_plugin_register_vcpu_tb_exec_cb(block, begun, NO_REGISTERS, length as *mut c_void);
    }
}

extern "C" fn begun(_processor: c_uint, length: *mut c_void) {
    // A thread that is ending has no numbers any more.
    THIS.try_with(|thread| add(&thread.instructions, length as u64)).unwrap_or_default();
}

extern "C" fn called(
    _: u64,
    _: c_uint,
    _: i64,
    _: u64,
    _: u64,
    _: u64,
    _: u64,
    _: u64,
    _: u64,
    _: u64,
    _: u64,
) {
    THIS.try_with(|thread| add(&thread.calls, 1)).unwrap_or_default();
}

extern "C" fn thread_ended(_id: u64, _processor: c_uint) {
    THIS.try_with(|thread| {
        *thread.name.lock().unwrap_or_else(PoisonError::into_inner) = Some(thread.name_now());
    })
    .unwrap_or_default();
}

extern "C" fn program_ended(_id: u64, _data: *mut c_void) {
    let mut lines = String::new();
    for thread in THREADS.lock().unwrap_or_else(PoisonError::into_inner).iter() {
        let name = thread.name.lock().unwrap_or_else(PoisonError::into_inner).take();
        let name = name.unwrap_or_else(|| thread.name_now());
        let (instructions, calls) = (thread.instructions.load(Relaxed), thread.calls.load(Relaxed));
        lines += &format!(
            "{{\"thread\":\"{name}\",\"instructions\":{instructions},\"calls\":{calls}}}\n"
        );
    }
    let written = match OUT.get() {
        Some(path) => fs::write(path, lines),
        None => std::io::stderr().write_all(lines.as_bytes()),
    };
    if let Err(error) = written {
        eprintln!("the counts are lost: {error}");
    }
}

/// What qemu calls first.
///
/// # Safety
/// `words` are `count` pointers to text, as qemu has them.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn qemu_plugin_install(
    id: u64,
    _about: *const c_void,
    count: c_int,
    words: *const *const c_char,
) -> c_int {
    for nth in 0..usize::try_from(count).unwrap_or(0) {
        // SAFETY: there are `count` of them, each a text that ends with a zero.
        let word = unsafe { CStr::from_ptr(*words.add(nth)) }.to_string_lossy();
        match word.split_once('=') {
            Some(("out", path)) => drop(OUT.set(path.to_owned())),
            _ => {
                eprintln!("{word} is not known here: out=FILE");
                return 1;
            }
        }
    }
    // SAFETY: as qemu's header has them.
    unsafe {
        qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
        qemu_plugin_register_vcpu_syscall_cb(id, called);
        qemu_plugin_register_vcpu_exit_cb(id, thread_ended);
        qemu_plugin_register_atexit_cb(id, program_ended, std::ptr::null_mut());
    }
    0
}
