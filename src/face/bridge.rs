//! What a host sees of a virtual machine's life (SEMANTICS.md section 1).

/// Where a virtual machine is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LifecycleState {
    /// Not yet usable. A `KernelVm` is never seen in this state.
    Starting,
    /// No process is running; stopped ones and zombies may be there.
    Ready,
    /// At least one process is running.
    Busy,
    /// Disposed of.
    Terminated,
}
