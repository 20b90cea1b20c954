//! `key`: sorts the images of that object (idx3-ubyte) into ten groups by their 32 principal components, where it is. Answers with the
//! group of each, from 0 to 9, a space between any two.

mod groups;
mod images;

use ganglion::{Failure, Object, on_storage};

const DIMENSIONS: usize = 32;
const GROUPS: usize = 10;
const ROUNDS_MAX: usize = 25;
const SEED: u64 = 1_234_567;

#[ganglion::main(object = "input")]
fn main(key: String) -> Result<String, Failure> {
    let labels = on_storage(&key, || {
        let object = Object::open(&key)?;
        let images = images::images(&object).ok_or_else(|| {
            Failure::new(format!(
                "no idx3-ubyte images of up to 1024 pixels: object {key}"
            ))
        })?;
        let points = images::principal_coordinates(&images, DIMENSIONS);
        Ok::<_, Failure>(groups::kmeans(&points, GROUPS, ROUNDS_MAX, SEED))
    })?;
    let labels: Vec<String> = labels.iter().map(usize::to_string).collect();
    Ok(labels.join(" "))
}
