// SHA-256 (FIPS 180-4).
#pragma once

#include <string>
#include <string_view>

namespace segpp {

// The hash in lower-case hexadecimal.
std::string sha256(std::string_view data);

}  // namespace segpp
