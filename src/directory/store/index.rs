//! The index of a directory that was made before there was one, or under older rules: made anew when it is opened.
//!
//! The mark comes last, so a start that is interrupted begins again.

use rocksdb::{IteratorMode, WriteBatch};

use super::commit::Batch;
use super::engine::{Engine, unreadable};
use crate::directory::schema::{self, Family, INDEX, Key, Record};
use crate::directory::view::Unreadable;

/// Records whose index is written in one batch.
const BATCH: usize = 5000;

/// Makes the index where it is not whole.
pub fn make(engine: &Engine) -> Result<(), Unreadable> {
    let mark = Key::indexed();
    if engine.get(&mark)?.is_some_and(|found| *found == [INDEX]) {
        return Ok(());
    }
    clear(engine)?;
    for family in Family::INDEXED {
        let mut batch = Batch::new(engine)?;
        for (count, found) in engine.database().iterator_cf(engine.family(family)?, IteratorMode::Start).enumerate() {
            let (bytes, value) = found.map_err(|e| unreadable(&e))?;
            let (revision, record) = schema::decode(&Key { family, bytes: (*bytes).into() }, &value)?;
            for key in schema::index(&record) {
                batch.put(&key, &Record::Indexed, revision)?;
            }
            if count % BATCH == BATCH - 1 {
                engine.write(std::mem::replace(&mut batch, Batch::new(engine)?).writes)?;
            }
        }
        engine.write(batch.writes)?;
    }
    let mut last = WriteBatch::default();
    last.put_cf(engine.family(mark.family)?, &mark.bytes, [INDEX]);
    engine.write(last)
}

fn clear(engine: &Engine) -> Result<(), Unreadable> {
    let mut batch = Batch::new(engine)?;
    for found in engine.database().iterator_cf(engine.family(Family::Index)?, IteratorMode::Start) {
        let (bytes, _) = found.map_err(|e| unreadable(&e))?;
        batch.remove(&Key { family: Family::Index, bytes: (*bytes).into() });
    }
    engine.write(batch.writes)
}
