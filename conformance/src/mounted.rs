//! Small file systems of our own, mounted until they are dropped: one that can be filled, and one whose device can be made
//! to fail. Needs to be root.
//!
//! The device that fails is a loop device over a sparse file on a small tmpfs: once that is full, blocks that were never
//! written cannot be. The file system above has room, so writes are taken, and the fsync that finds out drops what it could
//! not bring down, as on any bad disk; the kernel logs an I/O error of the device.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// A small file system.
pub struct Mounted(PathBuf);

impl Mounted {
    /// Mounts a new file system of this kind and size: `tmpfs`, or `ext4` in a file beside.
    pub fn mount(kind: &str, at: &Path, size: u64) -> Result<Self> {
        std::fs::create_dir_all(at)?;
        if kind == "tmpfs" {
            system("mount", &["-t", "tmpfs", "-o", &format!("size={size}"), "none", text(at)])?;
        } else {
            let image = at.with_extension("image");
            make(&image, size)?;
            system("mount", &["-o", "loop", text(&image), text(at)])?;
        }
        Ok(Self(at.to_owned()))
    }

    /// Fills all that is left; how much that was.
    pub fn fill(&self) -> Result<u64> {
        let mut filler = File::options().create(true).append(true).open(self.filler())?;
        let (mut filled, mut step) = (0, 1 << 20);
        let zeros = vec![b'f'; step];
        while step > 0 {
            match filler.write(&zeros[..step]) {
                Ok(count) if count > 0 => filled += count as u64,
                _ => step /= 2,
            }
        }
        // ext4 takes bytes it has no blocks for yet; without this the last ones are missing later.
        let _ = filler.sync_all();
        Ok(filled)
    }

    /// Removes all that lies there but the file that fills it.
    pub fn clear(&self) -> Result<()> {
        for entry in std::fs::read_dir(&self.0)? {
            let path = entry?.path();
            if path.is_dir() {
                std::fs::remove_dir_all(path)?;
            } else if path != self.filler() {
                std::fs::remove_file(path)?;
            }
        }
        Ok(())
    }

    /// The file that fills it.
    pub fn filler(&self) -> PathBuf {
        self.0.join("filler")
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // A process that is still going away may hold it for a moment.
        let _ = system("umount", &["-l", text(&self.0)]);
    }
}

/// An ext4 on a device that fails when it is told to.
pub struct Frail {
    at: PathBuf,
    mounted: Option<Mounted>,
    below: Mounted,
}

impl Frail {
    /// Mounts a new one, of which `size` bytes can be written before it fails.
    pub fn mount(at: &Path, size: u64) -> Result<Self> {
        let below = Mounted::mount("tmpfs", &at.with_extension("device"), size)?;
        make(&below.0.join("image"), 8 * size)?;
        let mut frail = Self { at: at.to_owned(), mounted: None, below };
        frail.mount_again()?;
        Ok(frail)
    }

    /// From now on what was never written cannot be.
    pub fn fail(&self) -> Result<()> {
        self.below.fill().map(drop)
    }

    /// The device works again; what it lost stays lost.
    pub fn mend(&self) -> Result<()> {
        Ok(std::fs::remove_file(self.below.filler())?)
    }

    /// Reads the device anew: what only the page cache holds is gone.
    pub fn mount_again(&mut self) -> Result<()> {
        self.mounted = None;
        std::fs::create_dir_all(&self.at)?;
        system("mount", &["-o", "loop", text(&self.below.0.join("image")), text(&self.at)])?;
        self.mounted = Some(Mounted(self.at.clone()));
        Ok(())
    }
}

/// Makes an ext4 in a sparse file.
fn make(image: &Path, size: u64) -> Result<()> {
    File::create(image)?.set_len(size)?;
    // No blocks for root alone: they would be room that only this process finds.
    system("mkfs.ext4", &["-q", "-m", "0", text(image)])
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap_or_default()
}

fn system(program: &str, arguments: &[&str]) -> Result<()> {
    let status = Command::new(program).args(arguments).status().with_context(|| program.to_owned())?;
    ensure!(status.success(), "{program} {} ended with {status}", arguments.join(" "));
    Ok(())
}
