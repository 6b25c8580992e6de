//! Images: they come back as they were, share pages with nobody's knowledge, and damage is told.

use super::{NOW, World};
use proptest::prelude::*;
use tickernel_systems::fs::{Fs, PAGE_BYTES, Pages};
use tickernel_systems::wire::{Wire, WireReader};

pub(crate) fn bytes(fs: &Fs) -> Vec<u8> {
    let mut out = Vec::new();
    fs.put(&mut out);
    out
}

pub(crate) fn again(fs: &Fs) -> Fs {
    let bytes = bytes(fs);
    let mut from = WireReader::new(&bytes);
    let fs = Fs::get(&mut from).expect("an image of our own");
    from.finish().expect("nothing behind it");
    fs
}

fn some_tree() -> World {
    let mut world = World::new();
    world.mkdir("/tmp/d").expect("mkdir");
    let file = world.create("/tmp/d/f").expect("create");
    world.write(file, 10_000, &[7; 9000]).expect("write");
    world.link("/tmp/d/f", "/tmp/g").expect("link");
    world.fs.hold(file);
    world.unlink("/tmp/d/f").expect("unlink");
    let held = world.create("/tmp/h").expect("create");
    world.fs.hold(held);
    world.unlink("/tmp/h").expect("unlink");
    world
}

#[test]
fn an_image_goes_on_as_the_original_would() {
    let mut world = some_tree();
    let mut twin = World::new();
    twin.fs = again(&world.fs);
    for world in [&mut world, &mut twin] {
        world.create("/tmp/x").expect("create");
        world.rename("/tmp/x", "/tmp/d/y").expect("rename");
        world.mkdir("/tmp/z").expect("mkdir");
        world.unlink("/tmp/g").expect("unlink");
    }
    assert_eq!(bytes(&world.fs), bytes(&twin.fs));
    assert_eq!(world.fs.digest(), twin.fs.digest());
}

#[test]
fn a_copy_and_its_original_do_not_see_each_other() {
    let mut world = some_tree();
    let before = world.fs.digest();
    let mut copy = World::new();
    copy.fs = world.fs.clone();
    let file = copy.place("/tmp/g").expect("walk");
    copy.write(file, 12_000, b"changed").expect("write");
    assert_eq!(world.fs.digest_walk(), before);
    assert_ne!(copy.fs.digest(), before);
    assert_eq!(world.fs.read(file, 12_000, 7), Ok(vec![7; 7]));
}

/// One step on the contents of a file.
#[derive(Clone, Debug)]
enum Step {
    Write(u64, Vec<u8>),
    Truncate(u64),
    Digest,
}

fn step() -> impl Strategy<Value = Step> {
    let at = prop_oneof![0..3 * PAGE_BYTES, 4000..4200u64, 0..400_000u64];
    let data = prop_oneof![
        prop::collection::vec(0..3u8, 0..50),
        prop::collection::vec(0..3u8, 4000..9000),
    ];
    prop_oneof![
        4 => (at.clone(), data).prop_map(|(at, data)| Step::Write(at, data)),
        2 => at.prop_map(Step::Truncate),
        1 => Just(Step::Digest),
    ]
}

proptest! {
    #[test]
    fn pages_are_a_plain_vector(steps in prop::collection::vec(step(), 1..30)) {
        let mut pages = Pages::default();
        let mut plain: Vec<u8> = Vec::new();
        for step in steps {
            let snapshot = pages.clone();
            match step {
                Step::Write(at, data) => {
                    if !data.is_empty() {
                        let end = at as usize + data.len();
                        plain.resize(plain.len().max(end), 0);
                        plain[at as usize..end].copy_from_slice(&data);
                    }
                    pages.write(at, &data);
                }
                Step::Truncate(size) => {
                    plain.resize(size as usize, 0);
                    pages.truncate(size);
                }
                Step::Digest => {
                    let mut out = Vec::new();
                    pages.put(&mut out);
                    let again = Pages::get(&mut WireReader::new(&out)).expect("our own");
                    prop_assert_eq!(again.read(0, u64::MAX), plain.clone());
                }
            }
            prop_assert_eq!(pages.size(), plain.len() as u64);
            prop_assert!(pages.read(0, u64::MAX) == plain);
            drop(snapshot);
        }
        let mut at = 0;
        while let Some(data) = pages.seek_data(at) {
            prop_assert!(plain[at as usize..data as usize].iter().all(|byte| *byte == 0));
            at = pages.seek_hole(data).expect("a hole or the end follows data");
        }
        prop_assert!(plain[(at as usize).min(plain.len())..].iter().all(|byte| *byte == 0));
    }

    #[test]
    fn damage_is_an_error_or_a_sound_tree(
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
        cut in prop::option::weighted(0.2, any::<prop::sample::Index>()),
    ) {
        let mut image = bytes(&some_tree().fs);
        let place = at.index(image.len());
        image[place] = byte;
        if let Some(cut) = cut {
            image.truncate(cut.index(image.len()));
        }
        if let Ok(mut fs) = Fs::get(&mut WireReader::new(&image)) {
            // What decoding lets through must be safe to use.
            let mut world = World::new();
            prop_assert_eq!(fs.digest(), fs.digest_walk());
            world.fs = fs;
            let _ = world.create("/tmp/new");
            let _ = world.rename("/tmp/d", "/tmp/e");
            let _ = world.unlink("/tmp/g");
            for (_, place) in world.fs.tree(world.fs.root()) {
                world.fs.accessed(place, NOW);
            }
        }
    }
}
