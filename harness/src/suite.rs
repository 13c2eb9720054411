//! All cases together, with their requirements and deviations.
