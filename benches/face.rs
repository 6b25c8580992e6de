//! Times the public face (`KernelVm`) alone and among 10,000 live processes, and what recording
//! adds to it. `cargo bench --bench face` takes about half a minute. The same operations beside the
//! published crate: `cargo run --release --manifest-path benches/peer/Cargo.toml --bin bench`.

use criterion::measurement::{Measurement, WallTime};
use criterion::{Criterion, criterion_group, criterion_main};
use std::hint::black_box;
use std::io;
use std::time::Duration;
use tickernel::fd_table::{O_CREAT, O_RDWR};
use tickernel::kernel::{KernelVm, KernelVmConfig, VirtualProcessOptions};
use tickernel::permissions::Permissions;
use tickernel::resource_accounting::ResourceLimits;
use tickernel::vfs::MemoryFileSystem;

const DRIVER: &str = "bench";
/// Writes between two looks at the clock.
const BURST: u64 = 1000;

/// A machine with so many idle processes beside process 1.
fn machine(idle: u32) -> KernelVm<MemoryFileSystem> {
    let mut config = KernelVmConfig::new("bench");
    config.permissions = Permissions::allow_all();
    config.resources = ResourceLimits {
        max_processes: None,
        max_open_fds: None,
        max_pipes: None,
        ..ResourceLimits::default()
    };
    let mut vm = KernelVm::new(MemoryFileSystem::new(), config);
    for _ in 0..=idle {
        spawn(&mut vm);
    }
    vm
}

fn spawn(vm: &mut KernelVm<MemoryFileSystem>) -> u32 {
    let options = VirtualProcessOptions::default();
    let process = vm.create_virtual_process(DRIVER, DRIVER, "job", Vec::new(), options);
    process.expect("a process").pid()
}

fn dup_close(vm: &mut KernelVm<MemoryFileSystem>) {
    let fd = vm.fd_dup(DRIVER, 1, black_box(0)).expect("dup");
    vm.fd_close(DRIVER, 1, fd).expect("close");
}

fn one_byte(vm: &mut KernelVm<MemoryFileSystem>, (read, write): (u32, u32)) {
    vm.fd_write(DRIVER, 1, write, black_box(b"x")).expect("write");
    black_box(vm.fd_read(DRIVER, 1, read, 1).expect("read"));
}

fn life(vm: &mut KernelVm<MemoryFileSystem>) {
    let pid = spawn(vm);
    vm.exit_process(DRIVER, pid, 0).expect("exit");
    vm.waitpid(pid).expect("wait");
}

fn file(vm: &mut KernelVm<MemoryFileSystem>) {
    let fd = vm.fd_open(DRIVER, 1, "/file", O_CREAT | O_RDWR, None).expect("open");
    vm.fd_write(DRIVER, 1, fd, black_box(b"content")).expect("write");
    vm.fd_close(DRIVER, 1, fd).expect("close");
    vm.remove_file("/file").expect("unlink");
}

fn operations(criterion: &mut Criterion) {
    for idle in [0, 10_000] {
        let mut vm = machine(idle);
        let pipe = vm.open_pipe(DRIVER, 1).expect("pipe");
        let mut group = criterion.benchmark_group(format!("face among {idle}"));
        group.bench_function("dup + close", |bench| bench.iter(|| dup_close(&mut vm)));
        group.bench_function("1-byte pipe write + read", |bench| {
            bench.iter(|| one_byte(&mut vm, pipe));
        });
        group.bench_function("spawn + exit + wait", |bench| bench.iter(|| life(&mut vm)));
        group.bench_function("create + write + close + unlink", |bench| {
            bench.iter(|| file(&mut vm));
        });
        group.finish();
    }
}

/// Writes of 64 bytes in bursts of a thousand, which fit the pipe and the recording's buffer, with
/// and without a recording. Emptying the pipe between bursts is not timed.
fn recording(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("64-byte pipe write");
    for recorded in [false, true] {
        let mut vm = machine(0);
        let (read, write) = vm.open_pipe(DRIVER, 1).expect("pipe");
        if recorded {
            vm.record_to(io::sink()).expect("a recording");
        }
        let name = if recorded { "recorded" } else { "not recorded" };
        group.bench_function(name, |bench| {
            bench.iter_custom(|times| {
                let mut spent = Duration::ZERO;
                let mut left = times;
                while left > 0 {
                    let burst = left.min(BURST);
                    let begin = WallTime.start();
                    for _ in 0..burst {
                        vm.fd_write(DRIVER, 1, write, black_box(&[7; 64])).expect("write");
                    }
                    spent += WallTime.end(begin);
                    vm.fd_read(DRIVER, 1, read, 1 << 16).expect("read");
                    left -= burst;
                }
                spent
            });
        });
    }
    group.finish();
}

fn short() -> Criterion {
    Criterion::default()
        .without_plots()
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(600))
        .sample_size(30)
}

criterion_group! { name = benches; config = short(); targets = operations, recording }
criterion_main!(benches);
