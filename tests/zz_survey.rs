//! Survey; temporary.
#[path = "dump_strace.rs"]
mod base;
use ::proptest::strategy::{Strategy, ValueTree};
use ::proptest::test_runner::TestRunner;
use std::collections::BTreeMap;
#[test]
fn survey() {
    let mut runner = TestRunner::deterministic();
    let strategy = tickernel::proptest::programs(40);
    let mut seen: BTreeMap<String, (u32, String)> = BTreeMap::new();
    let (mut bad, mut skip) = (0, 0);
    let n: u32 = std::env::var("N").ok().and_then(|n| n.parse().ok()).unwrap_or(500);
    for _ in 0..n {
        let program = strategy.new_tree(&mut runner).unwrap().current();
        let caught = std::panic::catch_unwind(|| {
            let trace = base::trace_of(&base::events(&program));
            let (text, side) = base::dumped(&trace);
            if text.is_empty() { return None; }
            let report = base::replayed(&text, &side);
            Some((text, report))
        });
        match caught {
            Ok(None) => skip += 1,
            Ok(Some((text, report))) => {
                if report.mismatched + report.unsupported > 0 {
                    bad += 1;
                    let key = match &report.first_mismatch {
                        Some(first) => { let c = first.call.split('(').next().unwrap_or(""); format!("{c} | {} | {} | {}", first.recorded, first.simulated, first.why) }
                        None => format!("unsupported {:?}", report.by_call.iter().filter(|c| c.1.unsupported > 0).map(|c| c.0.clone()).collect::<Vec<_>>()),
                    };
                    let line = report.first_mismatch.as_ref().and_then(|f| f.line).unwrap_or(0);
                    let entry = seen.entry(key).or_insert((0, String::new()));
                    entry.0 += 1;
                    if entry.1.is_empty() || entry.1.len() > text.len() { entry.1 = format!("line {line}\n{text}"); }
                }
            }
            Err(error) => {
                bad += 1;
                let text = error.downcast_ref::<String>().cloned().unwrap_or_default();
                let entry = seen.entry(format!("panic {}", &text[..text.len().min(200)])).or_insert((0, String::new()));
                entry.0 += 1;
                entry.1 = text;
            }
        }
    }
    println!("{n} programs, {bad} bad, {skip} empty");
    let mut all: Vec<_> = seen.into_iter().collect();
    all.sort_by_key(|one| std::cmp::Reverse(one.1.0));
    for (key, (count, text)) in all {
        println!("##### {count} x {key}\n{}", text.lines().take(60).collect::<Vec<_>>().join("\n"));
    }
}
