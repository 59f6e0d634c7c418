// The kill points of a host: which messages and effects a process can be told to die at, by name.
// The store has points of its own, see platform/rocks.h.
#pragma once

#include <array>
#include <string_view>

#include "node/node.h"

namespace lockstep::apps {

/// In the order of net::Message; no name: nothing is lost with such a message that is not asked
/// for again. "got.NAME.before" and ".after" are beside the node's handling of one that came,
/// "send.NAME.before" after everything is durable and before one leaves, "send.NAME.after" when it
/// was handed to the system.
inline constexpr std::array<std::string_view, std::variant_size_v<net::Message>> message_points = {
    "submit",    // SubmitTransaction
    "",          // FollowBlocks
    "blocks",    // Blocks
    "",          // AskQuote
    "quote",     // GiveQuote
    "assign",    // Assign
    "cancel",    // CancelTask
    "decline",   // Decline
    "deliver",   // Deliver
    "voucher",   // GiveVoucher
    "",          // Alive
    "ask_blob",  // AskBlob
    "blob",      // GiveBlob
};

[[nodiscard]] inline std::string_view point_of(const net::Message& message) {
  return message_points[message.index()];
}

/// What is told for good: "tell.NAME.before" and ".after".
[[nodiscard]] inline std::string_view point_of(const node::Notice& notice) {
  if (std::holds_alternative<node::TaskAccepted>(notice)) {
    return "accepted";
  }
  if (std::holds_alternative<node::JobFinished>(notice)) {
    return "finished";
  }
  return std::holds_alternative<node::JobOver>(notice) ? "over" : "";
}

}  // namespace lockstep::apps
