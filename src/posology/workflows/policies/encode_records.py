"""Records as a saved policy sees them, with the images that it reads."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from posology.cohorts.build import encode_cohort
from posology.domain.cohort import Cohort
from posology.domain.policy import Policy
from posology.domain.study import Study


def encode_records(
    events: pa.Table, study: Study, policy: Policy, places: Sequence[Path] = ()
) -> Cohort:
    """The study's decisions in the policy's encoding, from which nothing is fitted anew.

    places: folders of the events, which have the images of a study that reads them. RecordError if
    those are not of the size that the policy learned from.
    """
    cohort = encode_cohort(events, study, policy.profile, places)
    if cohort.history.images is not None:
        # It needs the network's modules, which take seconds to import.
        from posology.workflows.advice.patient_images import check_image_size

        check_image_size(policy, cohort.history)
    return cohort
