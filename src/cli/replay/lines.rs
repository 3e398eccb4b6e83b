//! The log, read in pieces of whole lines by one thread and judged by others.

use std::io;
use std::io::BufRead;
use std::io::Read as _;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::mpsc;
use std::sync::mpsc::Receiver;
use std::sync::mpsc::SyncSender;
use std::thread;

use crate::cli::replay::judge::Finding;
use crate::cli::replay::judge::Judge;
use crate::cli::replay::tally::Tally;
use crate::config::Config;
use crate::policy::PolicySnapshot;
use crate::telemetry::recorded::LineFault;
use crate::telemetry::recorded::Record;

/// Longest line, in bytes: far more than a token can put into a record.
const LONGEST_LINE: usize = 1024 * 1024;

/// What is handed over at once, in bytes, and a line more.
const PIECE: usize = 64 * 1024;

/// Most threads that judge.
const MOST_THREADS: usize = 8;

/// Evaluation denies when the stack runs short.
const STACK_BYTES: usize = 8 * 1024 * 1024;

/// Whole lines.
#[derive(Debug)]
struct Piece {
    /// The number of the first, from 1.
    first: u64,
    text: Vec<u8>,
}

/// What the records are decided by.
#[derive(Clone, Copy)]
pub(super) struct By<'a> {
    pub(super) config: &'a Config,
    pub(super) policies: &'a PolicySnapshot,
    /// Examples that a group keeps.
    pub(super) examples: usize,
}

/// Judges every line of the log. `progress` is told the number of lines so far, often.
pub(super) fn judge_all(
    log: impl BufRead,
    by: By<'_>,
    mut progress: impl FnMut(u64),
) -> io::Result<Tally> {
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let threads = threads.min(MOST_THREADS);
    let (sender, receiver) = mpsc::sync_channel(threads.saturating_mul(2));
    let receiver = &Mutex::new(receiver);
    thread::scope(|scope| {
        let mut judges = Vec::with_capacity(threads);
        for _ in 0..threads {
            let judging = thread::Builder::new().stack_size(STACK_BYTES);
            judges.push(judging.spawn_scoped(scope, move || judge_pieces(receiver, by))?);
        }
        let broken = hand_over(log, by.examples, &sender, &mut progress);
        drop(sender);
        let mut all = broken?;
        for judge in judges {
            let tally = judge.join();
            all = all.join(tally.map_err(|_| io::Error::other("a thread ended early"))?);
        }
        Ok(all)
    })
}

/// Reads the log to its end; the tally is of lines that were too long to be kept.
fn hand_over(
    mut log: impl BufRead,
    examples: usize,
    to: &SyncSender<Piece>,
    progress: &mut impl FnMut(u64),
) -> io::Result<Tally> {
    let mut too_long = Tally::keeping(examples);
    let mut line: u64 = 1;
    loop {
        let mut piece = Piece {
            first: line,
            text: Vec::with_capacity(PIECE.saturating_mul(2)),
        };
        while piece.text.len() < PIECE {
            let before = piece.text.len();
            let most = u64::try_from(LONGEST_LINE).unwrap_or(u64::MAX);
            let read = (&mut log).take(most).read_until(b'\n', &mut piece.text)?;
            if read == 0 {
                break;
            }
            if read == LONGEST_LINE && !piece.text.ends_with(b"\n") {
                too_long.broken(line, &LineFault::Long(LONGEST_LINE));
                piece.text.truncate(before);
                piece.text.push(b'\n');
                log.skip_until(b'\n')?;
            }
            line = line.saturating_add(1);
        }
        if piece.text.is_empty() || to.send(piece).is_err() {
            return Ok(too_long);
        }
        progress(line.saturating_sub(1));
    }
}

fn judge_pieces(pieces: &Mutex<Receiver<Piece>>, by: By<'_>) -> Tally {
    let mut judge = Judge::new(by.config, by.policies);
    let mut tally = Tally::keeping(by.examples);
    loop {
        let next = pieces.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(piece) = next else { return tally };
        let lines = piece.text.split(|byte| *byte == b'\n');
        for (number, line) in (piece.first..).zip(lines) {
            if line.trim_ascii().is_empty() {
                continue;
            }
            match judged(&mut judge, line) {
                Ok((record, finding)) => tally.add(number, &record, finding),
                Err(fault) => tally.broken(number, &fault),
            }
        }
    }
}

fn judged<'a>(judge: &mut Judge<'_>, line: &'a [u8]) -> Result<(Record<'a>, Finding), LineFault> {
    let record = Record::parse(line)?;
    let finding = judge.judge(&record)?;
    Ok((record, finding))
}
