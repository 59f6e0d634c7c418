// Which class each kind of message travels in. A new kind does not compile before it is here.
#pragma once

#include "net/frame.h"
#include "net/message.h"

namespace lockstep::net {

struct PriorityOf {
  static constexpr Priority control = Priority::control;
  static constexpr Priority ordinary = Priority::ordinary;
  static constexpr Priority bulk = Priority::bulk;

  constexpr Priority operator()(const SubmitTransaction&) const { return control; }
  constexpr Priority operator()(const FollowBlocks&) const { return control; }
  constexpr Priority operator()(const Blocks&) const { return ordinary; }
  constexpr Priority operator()(const AskQuote&) const { return control; }
  constexpr Priority operator()(const GiveQuote&) const { return control; }
  constexpr Priority operator()(const Assign&) const { return control; }
  constexpr Priority operator()(const CancelTask&) const { return control; }
  constexpr Priority operator()(const Decline&) const { return control; }
  constexpr Priority operator()(const Deliver&) const { return control; }
  constexpr Priority operator()(const GiveVoucher&) const { return control; }
  constexpr Priority operator()(const Alive&) const { return control; }
  constexpr Priority operator()(const AskBlob&) const { return control; }
  constexpr Priority operator()(const AskGenesis&) const { return control; }
  constexpr Priority operator()(const GiveGenesis&) const { return ordinary; }
  /// Only data is bulk: that there is none, or not now, is known at once.
  constexpr Priority operator()(const GiveBlob& give) const {
    return give.answer == BlobAnswer::piece ? bulk : control;
  }
};

inline Priority priority_of(const Message& message) {
  return std::visit(PriorityOf{}, message);
}

}  // namespace lockstep::net
