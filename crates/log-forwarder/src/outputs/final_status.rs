//! The statuses of HTTP by which a server refuses a batch for good: then it is halved, and a line
//! that is alone is a dead letter.

use std::ops::RangeInclusive;

use endpoint::Options;
use hyper::StatusCode;

/// The option that [`FinalStatuses::from_options`] takes
pub(super) const OPTION: &str = "final-status=400,413";
/// Statuses that may be final: a success is none, and what comes before an answer neither
const POSSIBLE: RangeInclusive<u16> = 300..=599;

/// Statuses by which a batch is refused; after all others but success it is sent again
#[derive(Debug, PartialEq, Eq)]
pub(super) struct FinalStatuses(Vec<RangeInclusive<u16>>);

impl FinalStatuses {
    /// Takes `final-status`, which replaces the usual list: a wrong request, and one that is too
    /// large.
    pub(super) fn from_options(options: &mut Options) -> Result<Self, String> {
        let lists = options.all("final-status");
        if lists.is_empty() {
            return Ok(Self(vec![400..=400, 413..=413]));
        }
        let ranges = lists.iter().flat_map(|list| list.split(',')).map(range).collect::<Option<_>>();
        ranges
            .map(Self)
            .ok_or_else(|| "option final-status: write a list such as 400,413,420-424, from 300 to 599".into())
    }

    pub(super) fn contain(&self, status: StatusCode) -> bool {
        self.0.iter().any(|range| range.contains(&status.as_u16()))
    }
}

/// `413`, or `420-424`
fn range(text: &str) -> Option<RangeInclusive<u16>> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
    let is_possible = first <= last && POSSIBLE.contains(&first) && POSSIBLE.contains(&last);
    is_possible.then_some(first..=last)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(fragment: &str) -> Result<FinalStatuses, String> {
        FinalStatuses::from_options(&mut Options::from_fragment(fragment).unwrap())
    }

    #[test]
    fn a_list_replaces_the_usual_one() {
        let are_final = |fragment: &str| {
            let statuses = of(fragment).unwrap();
            [400, 404, 413, 422, 500].map(|status| statuses.contain(StatusCode::from_u16(status).unwrap()))
        };
        assert_eq!(are_final(""), [true, false, true, false, false]);
        assert_eq!(are_final("final-status=413, 422"), [false, false, true, true, false]);
        assert_eq!(are_final("final-status=400-404&final-status=500"), [true, true, false, false, true]);
    }

    #[test]
    fn what_is_no_list_is_said() {
        for list in ["", "4xx", "200", "400,", "600", "422-413", "400-200"] {
            let error = of(&format!("final-status={list}")).unwrap_err();
            assert_eq!(error, "option final-status: write a list such as 400,413,420-424, from 300 to 599", "{list}");
        }
    }
}
