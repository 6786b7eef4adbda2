//! placeholder
use thirtyfour as _;
