//! The merged view: path_resolution(7) over the layers. A walk keeps, for every directory on its
//! way, which layers take part in it, so that a step looks into these only.

use super::{MARKERS, OverlayFileSystem};
use crate::face::vfs::{
    MemoryFileSystem, VfsError, VfsResult, VirtualDirEntry, VirtualFileSystem, VirtualStat,
};
use std::collections::BTreeMap;
use tickernel_systems::abi::Errno;

/// Links that are followed on one way (path_resolution(7)).
const LINKS_MAX: u32 = 40;

/// One of the layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Layer {
    /// The one that takes changes.
    Upper,
    /// By its place, 0 = the highest.
    Lower(usize),
}

impl Layer {
    /// What a layer's file system number is raised by: equal inode numbers of two layers are not
    /// one file.
    const fn dev_offset(self) -> u64 {
        match self {
            Self::Upper => 0,
            Self::Lower(index) => index as u64 + 1,
        }
    }
}

/// What is at a path.
#[derive(Debug, Clone)]
pub(super) struct Found {
    /// The highest layer that has it.
    pub(super) layer: Layer,
    pub(super) stat: VirtualStat,
    /// The layers that have it; for a directory all that are merged, else the one.
    pub(super) layers: Vec<Layer>,
}

impl Found {
    pub(super) fn is_file(&self) -> bool {
        !self.stat.is_directory && !self.stat.is_symbolic_link
    }
}

/// Where a walk ended.
#[derive(Debug, Clone)]
pub(super) struct Walked {
    /// Without links.
    pub(super) path: String,
    /// The layers merged in its directory.
    pub(super) above: Vec<Layer>,
    pub(super) found: Option<Found>,
}

/// Which layers a link of the upper layer leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum View {
    /// All.
    Merged,
    /// What it is by the contract: the upper one alone.
    OfLayer,
}

/// Whether it is the markers' place or below.
pub(super) fn is_marker(path: &str) -> bool {
    path.strip_prefix(MARKERS).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

impl OverlayFileSystem {
    pub(super) fn layer(&self, layer: Layer) -> &MemoryFileSystem {
        match layer {
            Layer::Upper => &self.upper,
            Layer::Lower(index) => &self.lowers[index],
        }
    }

    pub(super) fn layer_mut(&mut self, layer: Layer) -> &mut MemoryFileSystem {
        match layer {
            Layer::Upper => &mut self.upper,
            Layer::Lower(index) => &mut self.lowers[index],
        }
    }

    /// What is at a path without links whose directory these layers have.
    pub(super) fn step(&self, above: &[Layer], path: &str) -> VfsResult<Option<Found>> {
        if is_marker(path) {
            return Ok(None);
        }
        let hidden = self.hidden.contains(path);
        let mut found: Option<Found> = None;
        for layer in above.iter().copied().filter(|layer| !hidden || *layer == Layer::Upper) {
            let stat = match self.layer(layer).lstat(path) {
                Ok(stat) => VirtualStat { dev: stat.dev + layer.dev_offset(), ..stat },
                Err(error) if error.code() == Errno::ENOENT.name() => continue,
                Err(error) => return Err(error),
            };
            match &mut found {
                Some(found) if stat.is_directory => found.layers.push(layer),
                // What is no directory hides what lies below it.
                Some(_) => break,
                None => {
                    let merges = stat.is_directory;
                    found = Some(Found { layer, stat, layers: vec![layer] });
                    if !merges {
                        break;
                    }
                }
            }
        }
        Ok(found)
    }

    fn root(&self) -> VfsResult<Found> {
        let lowers = (0..self.lowers.len()).map(Layer::Lower);
        let stat = self.upper.lstat("/")?;
        Ok(Found {
            layer: Layer::Upper,
            stat,
            layers: [Layer::Upper].into_iter().chain(lowers).collect(),
        })
    }

    /// Walks to a path. Something missing on the way is `ENOENT`; at its end it is told as such.
    pub(super) fn walk(&self, path: &str, follow: bool, view: View) -> VfsResult<Walked> {
        let mut rest: Vec<String> = parts(path);
        // Directories on the way, each with the length of its path.
        let mut way: Vec<(usize, Found)> = vec![(0, self.root()?)];
        let mut at = String::new();
        let (mut links, mut upper_only) = (0, false);
        while let Some(name) = rest.pop() {
            if name == ".." {
                if way.len() > 1 {
                    way.pop();
                }
                at.truncate(way.last().map_or(0, |(length, _)| *length));
                continue;
            }
            let above = way.last().map_or(&[][..], |(_, found)| &found.layers);
            let above: Vec<Layer> =
                above.iter().copied().filter(|l| !upper_only || *l == Layer::Upper).collect();
            let length = at.len();
            at.push('/');
            at.push_str(&name);
            let Some(found) = self.step(&above, &at)? else {
                if rest.is_empty() {
                    return Ok(Walked { path: at, above, found: None });
                }
                return Err(VfsError::on_path(Errno::ENOENT, "open", path));
            };
            if found.stat.is_symbolic_link && (follow || !rest.is_empty()) {
                links += 1;
                if links > LINKS_MAX {
                    return Err(VfsError::on_path(Errno::ELOOP, "open", path));
                }
                let target = self.layer(found.layer).read_link(&at)?;
                upper_only |= view == View::OfLayer && found.layer == Layer::Upper;
                at.truncate(length);
                if target.starts_with('/') {
                    way.truncate(1);
                    at.clear();
                }
                rest.extend(parts(&target));
                continue;
            }
            if rest.is_empty() {
                return Ok(Walked { path: at, above, found: Some(found) });
            }
            if !found.stat.is_directory {
                return Err(VfsError::on_path(Errno::ENOTDIR, "open", path));
            }
            way.push((at.len(), found));
        }
        let (_, found) = way.pop().map_or_else(|| self.root().map(|root| (0, root)), Ok)?;
        let above = way.last().map_or_else(Vec::new, |(_, found)| found.layers.clone());
        let path = if at.is_empty() { "/".to_owned() } else { at };
        Ok(Walked { path, above, found: Some(found) })
    }

    /// The view of reading calls: by the contract a link of the upper layer stays in it.
    pub(super) const fn view(&self) -> View {
        if self.linux { View::Merged } else { View::OfLayer }
    }

    /// What is at a path. `ENOENT` where nothing is.
    pub(super) fn find(&self, path: &str, follow: bool, view: View) -> VfsResult<(String, Found)> {
        let walked = self.walk(path, follow, view)?;
        match walked.found {
            Some(found) => Ok((walked.path, found)),
            None => Err(VfsError::on_path(Errno::ENOENT, "open", path)),
        }
    }

    /// The entries of a directory without links on its way, sorted by name.
    pub(super) fn list(&self, path: &str, found: &Found) -> VfsResult<Vec<VirtualDirEntry>> {
        let mut entries: BTreeMap<String, VirtualDirEntry> = BTreeMap::new();
        for layer in found.layers.iter().copied() {
            for entry in self.layer(layer).typed_entries(path)? {
                let child = child(path, &entry.name);
                let unseen = layer != Layer::Upper && self.hidden.contains(&child);
                if !unseen && !is_marker(&child) {
                    entries.entry(entry.name.clone()).or_insert(entry);
                }
            }
        }
        Ok(entries.into_values().collect())
    }

    /// Whether a lower layer has something at a path that nothing hides but the upper layer.
    pub(super) fn is_below(&self, walked: &Walked) -> VfsResult<bool> {
        let lowers: Vec<Layer> =
            walked.above.iter().copied().filter(|layer| *layer != Layer::Upper).collect();
        Ok(self.step(&lowers, &walked.path)?.is_some())
    }

    /// Nothing of the lower layers is seen there any more.
    pub(super) fn hide(&mut self, path: &str) {
        let below = format!("{path}/");
        let inside: Vec<String> = self
            .hidden
            .range(below.clone()..)
            .take_while(|hidden| hidden.starts_with(&below))
            .cloned()
            .collect();
        for hidden in &inside {
            self.hidden.remove(hidden);
        }
        self.hidden.insert(path.to_owned());
    }
}

/// The names of a path, the last one first.
fn parts(path: &str) -> Vec<String> {
    let names = path.split('/').rev().filter(|name| !matches!(*name, "" | "."));
    names.map(str::to_owned).collect()
}

/// A name in a directory.
pub(super) fn child(directory: &str, name: &str) -> String {
    format!("{}/{name}", directory.trim_end_matches('/'))
}
