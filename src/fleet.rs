//! Many kernels at once: the one place where work is spread over threads (DESIGN section 6).
//!
//! A kernel is one thread's; a fleet is several, each its own. Results come in the order of the
//! kernels whatever thread did which, so the number of threads shows nowhere.

use rayon::prelude::*;

/// Does the same to every kernel (or what holds one), on as many threads as the machine has; the
/// results in the order of the kernels.
pub fn for_each<K: Send, T: Send>(
    kernels: &mut [K],
    act: impl Fn(usize, &mut K) -> T + Send + Sync,
) -> Vec<T> {
    kernels.par_iter_mut().enumerate().map(|(at, kernel)| act(at, kernel)).collect()
}
