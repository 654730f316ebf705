//! The image of Dask, for schedulers, workers and job runners.

use std::path::Path;

use anyhow::Result;

use crate::cache::{self, Key};
use crate::images::buildah::{self, Build};
use crate::images::{Image, base, name};
use crate::progress::Progress;

const CONTEXT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../worker-image");

pub fn build(progress: &mut Progress) -> Result<Image> {
    let context = Path::new(CONTEXT).canonicalize()?;
    let base = base::build(progress)?;
    let name = name("dask");
    let key = Key::new().with(&name).with(base.as_os_str().as_encoded_bytes()).with_folder(&context)?;
    let folder = cache::artefact("dask-image", key, progress, |folder, progress| {
        let mut task = progress.task("Image of Dask", 1);
        task.step("its Python packages (half a minute)");
        let dockerfile = context.join("Dockerfile");
        let build = Build { name: &name, dockerfile: &dockerfile, context: &context, base: Some(&base) };
        buildah::build(&folder.join("image.tar"), &build)?;
        task.done();
        Ok(())
    })?;
    Ok(Image { name, archive: folder.join("image.tar") })
}
