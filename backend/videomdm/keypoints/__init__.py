# SPDX-License-Identifier: Apache-2.0
"""2D keypoints of people in video: one layout for all detectors, tracking, cleaning, files and detection.

``load_any`` reads what a detector wrote, ``detect.detect_people`` looks at a video, ``track.choose_person``
takes one person, ``clean.clean`` repairs and smooths, ``to_joints`` hands over to the body model.
"""

from .keypoints import Keypoints

__all__ = ["Keypoints"]
