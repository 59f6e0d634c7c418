// Files and folders that nobody else on the machine may read: made 0600 and 0700, and not used when
// they are open to others or somebody else's.
#pragma once

#include <string>
#include <vector>

#include "base/bytes.h"
#include "crypto/secret.h"

namespace lockstep::platform {

/// Makes the folder and what is missing above it. Errors: those of check_private_folder, io_failed.
[[nodiscard]] Result<void> make_private_folder(const std::string& path);
/// Errors: bad_folder (none there), not_permitted (not ours, or others may look in).
[[nodiscard]] Result<void> check_private_folder(const std::string& path);

/// Errors: file_not_found, not_permitted (not ours, or others may read it), too_large, io_failed.
[[nodiscard]] Result<Bytes> read_private_file(const std::string& path, size_t bytes_max);

/// The first line, without its end, of such a file or of a pipe (then of whomever). Errors: the
/// same.
[[nodiscard]] Result<crypto::SecretText> read_secret_line(const std::string& path);

enum class Existing { refused, replaced };
/// Whole or not at all, and durable when it returns. Errors: already_there, not_permitted,
/// disk_full, io_failed.
[[nodiscard]] Result<void> write_private_file(const std::string& path,
                                              ByteView bytes,
                                              Existing existing);

/// Names of the regular files in a folder that end in `ending`, in order. Errors: bad_folder.
[[nodiscard]] Result<std::vector<std::string>> files_in(const std::string& folder,
                                                        const std::string& ending);

}  // namespace lockstep::platform
