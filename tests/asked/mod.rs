//! Requests through `drive`, with snapshots on the way: what tests of single subjects share.

use serde_json::Value;
use tickernel::drive::Drive;
use tickernel_systems::Kernel;

/// All lines that a request causes; before it the kernel is replaced by its own snapshot.
pub fn ask_all(drive: &mut Drive, request: &Value) -> Vec<Value> {
    let bytes = drive.kernel_mut().snapshot();
    let again = Kernel::restore(&bytes).unwrap_or_else(|error| panic!("{request}: {error}"));
    *drive.kernel_mut() = again;
    let lines = drive.answer(request.to_string().as_bytes());
    drive.kernel_mut().audit().unwrap_or_else(|defect| panic!("{request}: {defect}"));
    lines.into_iter().map(Value::Object).collect()
}

/// The one line that a request causes.
pub fn ask(drive: &mut Drive, request: &Value) -> Value {
    let mut lines = ask_all(drive, request);
    assert_eq!(lines.len(), 1, "{request}: {lines:?}");
    lines.remove(0)
}

/// The same of one that succeeds.
pub fn ok(drive: &mut Drive, request: &Value) -> Value {
    let answer = ask(drive, request);
    assert!(answer.get("ok").is_some(), "{request}: {answer}");
    answer
}
