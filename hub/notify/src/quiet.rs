//! Quiet hours: civil time in the phone's zone, so that they begin at ten in the evening in summer and in winter.

use jiff::tz::TimeZone;
use privet_home::QuietHours;
use privet_protocol::time::Timestamp;

/// The zone of this name (IANA); an empty one is UTC. Nothing for a zone that is not known.
pub fn zone(name: &str) -> Option<TimeZone> {
    if name.is_empty() { Some(TimeZone::UTC) } else { TimeZone::get(name).ok() }
}

/// Whether `now` lies in one of these hours.
pub fn is_quiet(hours: &[QuietHours], zone: &TimeZone, now: Timestamp) -> bool {
    // A time that no calendar has is in nobody's hours.
    let Ok(now) = jiff::Timestamp::from_millisecond(now.0) else { return false };
    let civil = now.to_zoned(zone.clone());
    let minute = u16::try_from(i32::from(civil.hour()) * 60 + i32::from(civil.minute())).unwrap_or(0);
    let today = u8::try_from(civil.weekday().to_monday_zero_offset()).unwrap_or(0);
    let begins = |hours: &QuietHours, day: u8| hours.days >> day & 1 == 1;
    hours.iter().any(|hours| {
        if hours.from_min < hours.to_min {
            begins(hours, today) && (hours.from_min..hours.to_min).contains(&minute)
        } else {
            // Over midnight: the day on which they began counts.
            begins(hours, today) && minute >= hours.from_min || begins(hours, (today + 6) % 7) && minute < hours.to_min
        }
    })
}
