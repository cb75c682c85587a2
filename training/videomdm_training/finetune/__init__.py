# SPDX-License-Identifier: Apache-2.0
"""Fine-tuning: a studio's clips and captions in, a new model out that still can what its base could."""
