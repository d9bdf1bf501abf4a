"""Speed, accuracy, memory, parity and portability of what the tool makes; each module records one result file."""
