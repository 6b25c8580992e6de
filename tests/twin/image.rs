//! The worker: the code that every emulated process runs, as a complete ELF program of a few
//! hundred bytes.
//!
//! The ELF file only attaches the shared memory, where the code lies as well, and unmaps itself. It
//! holds no descriptor, no heap and no thread-local state: a worker sleeps in `futex(2)` on a word
//! of its slot in shared memory (`shared.rs`), makes the system call that the slot names, and posts
//! the result as an event. Which slot is its own stands at `gs:0`, so that fork, vfork, clone with
//! CLONE_VM and signal handlers need nothing else. It is assembler because it must run alike in a
//! forked process, in a thread without TLS and right after execve(2), where a language runtime
//! would open, ignore or allocate things that the emulated program could see.
//!
//! A caught signal enters `twin_handler`, which announces it and serves requests until one says
//! "return"; then rt_sigreturn(2) really happens. The saved context tells what became of the call
//! that the signal interrupted.

use std::arch::global_asm;

use crate::shared::{CODE, EVENTS, RING, RING_LEN, SHARED};

/// Operation in a slot: make the system call.
pub(crate) const OP_CALL: u32 = 0;
/// Operation in a slot: return from the signal handler.
pub(crate) const OP_RETURN: u32 = 1;

/// Event: a call has returned.
pub(crate) const DONE: u32 = 1;
/// Event: a caught signal was delivered.
pub(crate) const SIGNAL: u32 = 2;
/// Event: a child of fork, vfork or clone runs; its value is its thread id.
pub(crate) const STARTED: u32 = 3;
/// Event: a fresh image runs after execve; its value is its thread id.
pub(crate) const EXECED: u32 = 4;

/// In a SIGNAL event: the interrupted call has returned with the event's value.
pub(crate) const OUTER_RETURNED: u32 = 1;

/// Where the ELF file is loaded; its code only attaches the shared memory and goes on there.
const BASE: u64 = 0x40_0000;
const HEADERS_BYTES: usize = 64 + 2 * 56;

global_asm!(
    r#"
    .pushsection .text.twin_image, "ax", @progbits
    .balign 16
    .globl twin_image_start, twin_call_after, twin_handler, twin_restorer, twin_image_config, twin_image_end
    .hidden twin_image_start, twin_call_after, twin_handler, twin_restorer, twin_image_config, twin_image_end
twin_image_start:
    # After execve: attach the shared memory, take the slot that the coordinator has left in the header.
    lea rbx, [rip + twin_image_config]
    mov rdi, [rbx]
    mov rsi, [rbx + 8]
    mov edx, {shm_exec}
    mov eax, {shmat}
    syscall
    cmp rax, [rbx + 8]
    jne 9f
    lea rcx, [rip + twin_attached]
    lea rdx, [rip + twin_image_start]
    sub rcx, rdx
    mov rdx, {code}
    add rcx, rdx
    jmp rcx
9:  mov edi, 127
    mov eax, {exit_group}
    syscall
twin_attached:
    # From here on in the shared memory. Nothing of the program's file stays mapped.
    mov r13, [rax + 8]
    mov r14d, [r13 + 20]
    mov edi, {base}
    mov esi, 4096
    mov eax, {munmap}
    syscall
    mov ebp, {execed}
    jmp 7f

twin_serve:
    # Sleep until the slot's request number differs from the one taken last.
2:  mov r12, qword ptr gs:[0]
    mov eax, [r12 + 8]
    cmp eax, [r12 + 12]
    jne 3f
    lea rdi, [r12 + 8]
    xor esi, esi
    mov edx, eax
    xor r10d, r10d
    xor r8d, r8d
    xor r9d, r9d
    mov eax, {futex}
    syscall
    jmp 2b
3:  mov [r12 + 12], eax
    mov r14d, [r12 + 20]
    cmp dword ptr [r12 + 16], {op_return}
    je 4f
    mov r13, [r12 + 80]
    mov rax, [r12 + 24]
    mov rdi, [r12 + 32]
    mov rsi, [r12 + 40]
    mov rdx, [r12 + 48]
    mov r10, [r12 + 56]
    mov r8, [r12 + 64]
    mov r9, [r12 + 72]
twin_call:
    syscall
twin_call_after:
    test rax, rax
    jne 5f
    test r13, r13
    jne 6f
5:  mov r15, rax
    mov ebp, {done}
    xor r8d, r8d
    xor esi, esi
    call twin_post
    jmp 2b
4:  xor r15d, r15d
    mov ebp, {done}
    xor r8d, r8d
    xor esi, esi
    call twin_post
    ret
    # A new task: its own slot, then a word that it is there.
6:  mov ebp, {started}
7:  mov rsi, r13
    mov edi, 0x1001
    mov eax, {arch_prctl}
    syscall
    mov r12, r13
    mov eax, {gettid}
    syscall
    mov r15, rax
    xor r8d, r8d
    xor esi, esi
    call twin_post
    jmp 2b

twin_post:
    # ebp kind, r12 slot, r14d request, r15 value, r8d what is known of the outer call, rsi siginfo or 0.
    mov rbx, {shared}
    mov eax, 1
    lock xadd [rbx], eax
    mov ecx, eax
    and ecx, {ring_mask}
    shl rcx, 8
    lea rdx, [rbx + rcx + {ring}]
    mov [rdx + 4], ebp
    mov [rdx + 8], r12
    mov [rdx + 16], r14d
    mov [rdx + 20], r8d
    mov [rdx + 24], r15
    test rsi, rsi
    jz 8f
    lea rdi, [rdx + 32]
    mov ecx, 128
    rep movsb
8:  inc eax
    mov [rdx], eax
    lock inc dword ptr [rbx + {events}]
    lea rdi, [rbx + {events}]
    mov esi, 1
    mov edx, 1
    mov eax, {futex}
    syscall
    ret

twin_announce:
    # rsi siginfo, rdx ucontext. A context that is to resume at the handler's first instruction is a signal that
    # was delivered just before this one: it is announced first, and will enter behind its announcement.
    lea rax, [rip + twin_handler]
    cmp [rdx + 168], rax
    jne 1f
    push rsi
    push rdx
    mov rsi, [rdx + 112]
    mov rdx, [rdx + 136]
    call twin_announce
    pop rdx
    pop rsi
    lea rax, [rip + twin_handler_quiet]
    mov [rdx + 168], rax
    xor r14d, r14d
    xor r15d, r15d
    xor r8d, r8d
    jmp 3f
1:  mov r14d, [rdx + 88]
    mov r15, [rdx + 144]
    xor r8d, r8d
    lea rax, [rip + twin_call_after]
    cmp [rdx + 168], rax
    jne 3f
    mov r8d, {outer_returned}
3:  mov ebp, {signal}
    mov r12, qword ptr gs:[0]
    jmp twin_post

twin_handler:
    cld
    call twin_announce
twin_handler_quiet:
    call twin_serve
    ret
twin_restorer:
    mov eax, {rt_sigreturn}
    syscall
    .balign 8
twin_image_config:
    .quad 0, 0
twin_image_end:
    .popsection
    "#,
    shmat = const libc::SYS_shmat,
    shm_exec = const libc::SHM_EXEC,
    munmap = const libc::SYS_munmap,
    code = const CODE,
    base = const BASE,
    exit_group = const libc::SYS_exit_group,
    futex = const libc::SYS_futex,
    arch_prctl = const libc::SYS_arch_prctl,
    gettid = const libc::SYS_gettid,
    rt_sigreturn = const libc::SYS_rt_sigreturn,
    op_return = const OP_RETURN,
    done = const DONE,
    signal = const SIGNAL,
    started = const STARTED,
    execed = const EXECED,
    outer_returned = const OUTER_RETURNED,
    shared = const SHARED,
    ring = const RING,
    ring_mask = const RING_LEN - 1,
    events = const EVENTS,
);

unsafe extern "C" {
    static twin_image_start: u8;
    static twin_image_end: u8;
    static twin_image_config: u8;
    static twin_call_after: u8;
    static twin_handler: u8;
    static twin_restorer: u8;
}

fn offset_of(symbol: *const u8) -> u64 {
    symbol as u64 - (&raw const twin_image_start) as u64
}

/// Address of the handler of caught signals in every worker.
pub(crate) fn handler() -> u64 {
    CODE + offset_of(&raw const twin_handler)
}

/// Address of the SA_RESTORER function in every worker.
pub(crate) fn restorer() -> u64 {
    CODE + offset_of(&raw const twin_restorer)
}

/// Address right behind the `syscall` instruction of requests: the pc of a worker that sleeps in a
/// request's call.
pub(crate) fn call_after() -> u64 {
    CODE + offset_of(&raw const twin_call_after)
}

/// The worker's code, position-independent.
pub(crate) fn code() -> &'static [u8] {
    let len = offset_of(&raw const twin_image_end) as usize;
    // SAFETY: the symbols delimit one contiguous, readable section of this program.
    unsafe { std::slice::from_raw_parts(&raw const twin_image_start, len) }
}

/// The whole ELF file (elf(5)) of a worker that attaches the shared memory `shmid`.
pub(crate) fn elf(shmid: i32) -> Vec<u8> {
    let code = code();
    let len = code.len();
    let file_bytes = (HEADERS_BYTES + len) as u64;
    let mut out = Vec::with_capacity(file_bytes as usize);
    out.extend([0x7f, b'E', b'L', b'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    out.extend(2u16.to_le_bytes()); // ET_EXEC
    out.extend(62u16.to_le_bytes()); // EM_X86_64
    out.extend(1u32.to_le_bytes());
    for quad in [BASE + HEADERS_BYTES as u64, 64, 0] {
        out.extend(quad.to_le_bytes()); // entry, program headers, section headers
    }
    out.extend(0u32.to_le_bytes());
    for half in [64u16, 56, 2, 64, 0, 0] {
        out.extend(half.to_le_bytes());
    }
    program_header(&mut out, 1, 5, [0, BASE, BASE, file_bytes, file_bytes, 0x1000]);
    program_header(&mut out, 0x6474_e551, 6, [0, 0, 0, 0, 0, 16]); // PT_GNU_STACK: not executable
    out.extend(code);
    let config = HEADERS_BYTES + offset_of(&raw const twin_image_config) as usize;
    out[config..config + 8].copy_from_slice(&(shmid as u64).to_le_bytes());
    out[config + 8..config + 16].copy_from_slice(&SHARED.to_le_bytes());
    out
}

fn program_header(out: &mut Vec<u8>, kind: u32, flags: u32, rest: [u64; 6]) {
    out.extend(kind.to_le_bytes());
    out.extend(flags.to_le_bytes());
    for quad in rest {
        out.extend(quad.to_le_bytes());
    }
}
