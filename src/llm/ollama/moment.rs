//! `created_at`: RFC 3339, in UTC where we write it.
//!
//! The days are counted as in Howard Hinnant's "chrono-Compatible Low-Level Date
//! Algorithms": in eras of 400 years that begin in March.

const DAY: u64 = 86_400;
/// Days in 400 years.
const ERA: u64 = 146_097;
/// Days from the first of March of the year 0 to 1970.
const EPOCH: u64 = 719_468;

/// The text for so many seconds since 1970.
pub(super) fn text(seconds: u64) -> String {
    // The year 9999 is the last that the format has.
    let seconds = seconds.min(253_402_300_799);
    let days = seconds / DAY + EPOCH;
    let (era, of_era) = (days / ERA, days % ERA);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 {
        from_march + 3
    } else {
        from_march - 9
    };
    let year = era * 400 + year + u64::from(month <= 2);
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// The seconds since 1970 in a text; none where it is in no known shape, or before
/// that.
pub(super) fn seconds(text: &str) -> Option<u64> {
    let number = |from: usize, to: usize| text.get(from..to)?.parse::<u64>().ok();
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    let in_range = (1970..=9999).contains(&year)
        && (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && hour < 24
        && minute < 60
        && second <= 60;
    if !in_range {
        return None;
    }
    let year = year - u64::from(month <= 2);
    let from_march = if month > 2 { month - 3 } else { month + 9 };
    let of_year = (153 * from_march + 2) / 5 + day - 1;
    let of_era = year % 400 * 365 + year % 400 / 4 - year % 400 / 100 + of_year;
    let days = (year / 400 * ERA + of_era).checked_sub(EPOCH)?;
    let local = days * DAY + hour * 3600 + minute * 60 + second;
    let zone = text
        .get(19..)?
        .trim_start_matches(|c: char| c == '.' || c.is_ascii_digit());
    let ahead = offset(zone.get(1..)?)?;
    match zone.get(..1)? {
        "Z" | "z" => Some(local),
        "+" => local.checked_sub(ahead),
        "-" => Some(local + ahead),
        _ => None,
    }
}

/// `02:00` in seconds; nothing behind `Z`.
fn offset(text: &str) -> Option<u64> {
    if text.is_empty() {
        return Some(0);
    }
    let (hours, minutes) = text.split_once(':')?;
    let (hours, minutes): (u64, u64) = (hours.parse().ok()?, minutes.parse().ok()?);
    (hours < 24 && minutes < 60).then_some(hours * 3600 + minutes * 60)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn moments_are_written_and_read() {
        for (moment, written) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_700_000_000, "2023-11-14T22:13:20Z"),
            (u64::MAX, "9999-12-31T23:59:59Z"),
        ] {
            assert_eq!(text(moment), written);
        }
        // As Ollama writes them: nanoseconds, and the server's own zone.
        for written in [
            "2023-11-14T22:13:20.123456789Z",
            "2023-11-15T00:13:20.1+02:00",
            "2023-11-14T14:13:20-08:00",
        ] {
            assert_eq!(seconds(written), Some(1_700_000_000), "{written}");
        }
    }

    #[test]
    fn what_is_no_moment_is_none() {
        for wrong in [
            "",
            "yesterday",
            "2023-11-14",
            "2023-11-14T22:13:20",
            "2023-13-14T22:13:20Z",
            "1969-12-31T23:59:59Z",
            "2023-11-14T22:13:20+25:00",
            "2023-11-14T22:13:20é",
            "éééééééééééééééé",
        ] {
            assert_eq!(seconds(wrong), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn every_second_comes_back(moment in 0..253_402_300_800_u64) {
            prop_assert_eq!(seconds(&text(moment)), Some(moment));
        }

        #[test]
        fn no_text_panics(text in ".{0,40}") {
            let _ = seconds(&text);
        }
    }
}
