//! `cargo run --release -p cedargate-bench --bin timing`: whether the time that an API key takes to
//! be refused tells how much of it was right.
//!
//! Keys of two classes are tried in random order, and the times of the classes are compared with
//! Welch's t-test: from |t| = 4.5 on, the difference is no accident. A comparison that stops at the
//! first wrong byte is measured as well, and must be noticed, or else silence would prove nothing;
//! so is one key against itself, which must not.

use std::error::Error;
use std::hint::black_box;
use std::process::ExitCode;
use std::time::Instant;

use aws_lc_rs::rand;
use cedargate::config::ApiKey;
use cedargate::config::ApiKeyRules;
use cedargate::config::Grants;
use cedargate::identity::api_key;
use cedargate::identity::api_key::ApiKeys;
use cedargate::identity::credential::KeyText;
use cedargate::identity::digest::sha256;

/// Samples of both classes together.
const SAMPLES: usize = 200_000;

/// Keys that are made at once, so few that they all fit into a cache.
const BATCH: usize = 600;

/// Of each batch the first, which do not count.
const WARM_UP: usize = 100;

/// Of a hundred samples, those that are kept: the slowest were interrupted.
const KEPT_PERCENT: usize = 90;

/// Where an accident ends.
const THRESHOLD: f64 = 4.5;

const KEYS: u8 = 50;

#[expect(clippy::print_stdout, reason = "the figures are this program's result")]
fn main() -> Result<ExitCode, Box<dyn Error>> {
    let mut rules = ApiKeyRules {
        header: "x-api-key".into(),
        keys: Vec::new(),
    };
    let mut made = Vec::new();
    for number in 0..KEYS {
        let id = format!("client-{number:02}");
        let (key, _line) = api_key::generate(&id, &[number; 32]);
        rules.keys.push(ApiKey {
            id,
            digest: sha256(&[key.as_bytes()]),
            grants: Grants::default(),
        });
        made.push(key);
    }
    let keys = ApiKeys::new(&rules, &"keys".into());
    let right = made.get(made.len() >> 1).ok_or("no key was made")?;
    let wrong = [
        changed(right, 0)?,
        changed(right, right.len().saturating_sub(1))?,
    ];
    let unknown = right.replacen("client", "nobody", 1);

    let find = |key: &KeyText| keys.find(key).is_some();
    let ends = compare(&wrong, find)?;
    println!("wrong in the first or the last byte: |t| = {ends:.2}");
    let [_, last] = &wrong;
    let ids = compare(&[unknown, last.clone()], find)?;
    println!("an unknown or a known id: |t| = {ids:.2}");
    let null = compare(&[last.clone(), last.clone()], find)?;
    println!("one key and itself: |t| = {null:.2}");
    let naive = compare(&wrong, |key| {
        let mut pairs = key.as_str().bytes().zip(right.bytes());
        pairs.all(|(one, other)| black_box(one) == other)
    })?;
    println!("a comparison that stops early: |t| = {naive:.2}");

    let leaks = [ends, ids, null].iter().any(|t| *t >= THRESHOLD);
    Ok(if leaks || naive < THRESHOLD {
        println!("failed: |t| must be below {THRESHOLD}, and not below it where it stops early");
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

/// `key` with another character at one place.
fn changed(key: &str, at: usize) -> Result<String, Box<dyn Error>> {
    let mut bytes = key.as_bytes().to_vec();
    let byte = bytes.get_mut(at).ok_or("the key is too short")?;
    *byte = if *byte == b'x' { b'y' } else { b'x' };
    Ok(String::from_utf8(bytes)?)
}

/// |t| of the times that `check` takes for the two texts, neither of which it may accept.
fn compare(texts: &[String; 2], check: impl Fn(&KeyText) -> bool) -> Result<f64, Box<dyn Error>> {
    let [first, second] = texts;
    let mut times = Vec::with_capacity(SAMPLES);
    let mut order = vec![0; BATCH];
    while times.len() < SAMPLES {
        rand::fill(&mut order).map_err(|_| "no randomness")?;
        // Made before any time is taken: choosing between the two takes a time of its own.
        let batch = order.iter().map(|draw| {
            let is_second = draw & 1 == 1;
            KeyText::new(if is_second { second } else { first }.clone()).map(|key| (key, is_second))
        });
        let batch = batch.collect::<Result<Vec<_>, _>>()?;
        for (number, (key, is_second)) in batch.iter().enumerate() {
            let (accepted, nanoseconds) = timed(|| check(black_box(key)));
            if accepted {
                return Err("a wrong key was accepted".into());
            }
            if number >= WARM_UP {
                times.push((nanoseconds, *is_second));
            }
        }
    }
    times.sort_by(|one, other| one.0.total_cmp(&other.0));
    times.truncate(SAMPLES.saturating_mul(KEPT_PERCENT).div_euclid(100));
    let of = |wanted: bool| {
        let mut moments = Moments::default();
        times
            .iter()
            .filter(|(_, is_second)| *is_second == wanted)
            .for_each(|(nanoseconds, _)| moments.add(*nanoseconds));
        moments
    };
    Ok(welch(&of(false), &of(true)))
}

#[expect(clippy::disallowed_methods, reason = "this program measures time")]
fn timed(run: impl FnOnce() -> bool) -> (bool, f64) {
    let start = Instant::now();
    let answer = black_box(run());
    (answer, start.elapsed().as_secs_f64() * 1e9)
}

/// Mean and variance, in one pass (Welford).
#[derive(Default)]
struct Moments {
    count: f64,
    mean: f64,
    squares: f64,
}

impl Moments {
    fn add(&mut self, value: f64) {
        self.count += 1.0;
        let before = value - self.mean;
        self.mean += before / self.count;
        self.squares += before * (value - self.mean);
    }

    /// The variance of the mean.
    fn error(&self) -> f64 {
        self.squares / (self.count - 1.0) / self.count
    }
}

/// |t| of Welch's test; infinite for different means without any spread, 0 for equal ones.
fn welch(one: &Moments, other: &Moments) -> f64 {
    let difference = (one.mean - other.mean).abs();
    let error = (one.error() + other.error()).sqrt();
    if difference == 0.0 {
        0.0
    } else {
        difference / error
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moments(values: &[f64]) -> Moments {
        let mut moments = Moments::default();
        for value in values {
            moments.add(*value);
        }
        moments
    }

    #[test]
    fn a_known_t() {
        let (one, other) = (moments(&[1.0, 2.0, 3.0]), moments(&[2.0, 4.0, 6.0]));
        assert!((one.mean - 2.0).abs() < 1e-12 && (other.mean - 4.0).abs() < 1e-12);
        // Variances 1 and 4, three of each: 2 / sqrt(5 / 3).
        assert!((welch(&one, &other) - 1.549_193_338_5).abs() < 1e-9);
        assert!(welch(&one, &one).abs() < 1e-12);
    }

    #[test]
    fn a_changed_key_differs_in_one_place() {
        assert_eq!(changed("abc", 2).unwrap(), "abx");
        assert_eq!(changed("xbc", 0).unwrap(), "ybc");
        assert!(changed("abc", 3).is_err());
    }
}
