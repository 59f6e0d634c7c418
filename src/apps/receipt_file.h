// A receipt as a JSON file: a summary for people, and the evidence as canonical bytes in hex. Only
// the evidence counts; the summary must be what it shows.
#pragma once

#include <nlohmann/json.hpp>

#include "node/receipt.h"

namespace lockstep::apps {

/// A name from outside as it may be shown: UTF-8 without control characters.
[[nodiscard]] std::string readable(const std::string& text);

/// What a receipt shows, for people.
[[nodiscard]] nlohmann::json summary_of(const node::JobFacts& facts);

/// Errors: bad_receipt when the receipt does not hold: no summary can be made of it.
[[nodiscard]] Result<Bytes> write_receipt_json(const node::JobReceipt& receipt);

struct ReceiptFile {
  node::JobReceipt receipt;
  nlohmann::json summary;
};
/// Reads a hostile file; what it says is not checked. `where` names it. Errors: bad_receipt.
[[nodiscard]] Result<ReceiptFile> read_receipt_file(ByteView bytes, const std::string& where);
/// The evidence alone.
[[nodiscard]] Result<node::JobReceipt> read_receipt_json(ByteView bytes, const std::string& where);

}  // namespace lockstep::apps
