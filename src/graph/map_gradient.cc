// The derivative of a map's postfix expression: terms with shared subterms, adjoints in reverse
// order, and postfix expressions again. Where an expression outgrows a record it is cut into
// several.
#include <algorithm>
#include <array>
#include <bit>

#include "graph/impl.h"

namespace lockstep::graph {
namespace {

using law::DType;
using law::MapOp;

constexpr uint32_t none = UINT32_MAX;
constexpr size_t size_cap = 1 << 20;  // tree sizes grow without bound where terms are shared
// A cut leaves at most this much in a term, so that three operands and a node fit into a record.
constexpr size_t piece_nodes = 20;
constexpr size_t piece_inputs = 5;
static_assert(3 * piece_nodes + 1 <= limits::map_nodes_max);
static_assert(3 * piece_inputs <= limits::map_inputs_max);

struct Term {
  MapOp op = MapOp::input;
  DType type = DType::f32;
  uint64_t bits = 0;      // constant
  uint32_t external = 0;  // input: which of the derivation's values
  std::array<uint32_t, 3> operand{none, none, none};
  bool operator==(const Term&) const = default;
};

bool is_float(DType type) {
  return type == DType::f32 || type == DType::f64 || type == DType::bf16 || type == DType::f16;
}

/// Terms, each once; operands stand before the terms that use them.
class Terms {
 public:
  explicit Terms(Builder& builder) : builder_(builder) {}

  uint32_t intern(const Term& term) {
    const auto found = std::ranges::find(terms_, term);
    if (found != terms_.end()) {
      return static_cast<uint32_t>(found - terms_.begin());
    }
    terms_.push_back(term);
    return static_cast<uint32_t>(terms_.size() - 1);
  }
  uint32_t external(Value value) {
    values_.push_back(value);
    const auto which = static_cast<uint32_t>(values_.size() - 1);
    return intern({MapOp::input, builder_.shape(value).type, 0, which, {none, none, none}});
  }
  uint32_t constant(float value) {
    return intern(
        {MapOp::constant, DType::f32, std::bit_cast<uint32_t>(value), 0, {none, none, none}});
  }
  uint32_t apply(MapOp op, uint32_t a, uint32_t b = none, uint32_t c = none) {
    DType type = terms_[op == MapOp::select ? b : a].type;
    if (is_comparison(op)) {
      type = DType::boolean;
    }
    return intern({op, type, 0, 0, {a, b, c}});
  }
  [[nodiscard]] const Term& at(uint32_t term) const { return terms_[term]; }
  [[nodiscard]] size_t size() const { return terms_.size(); }

  /// The value of a term, as one map where it fits.
  Value emit(uint32_t root);

 private:
  struct Extent {
    size_t nodes = 0;
    std::vector<uint32_t> inputs;  // terms, sorted
  };
  [[nodiscard]] Extent extent(uint32_t term, const std::vector<Extent>& known) const;
  Value emit_map(uint32_t root);
  Value cut(uint32_t root, const std::vector<bool>& used);
  [[nodiscard]] std::vector<bool> used_by(uint32_t root) const;

  Builder& builder_;
  std::vector<Term> terms_;
  std::vector<Value> values_;
};

Terms::Extent Terms::extent(uint32_t term, const std::vector<Extent>& known) const {
  Extent sum{1, {}};
  if (terms_[term].op == MapOp::input) {
    sum.inputs.push_back(term);
  }
  for (const uint32_t operand : terms_[term].operand) {
    if (operand != none) {
      sum.nodes = std::min(size_cap, sum.nodes + known[operand].nodes);
      std::vector<uint32_t> both;
      std::ranges::set_union(sum.inputs, known[operand].inputs, std::back_inserter(both));
      sum.inputs = std::move(both);
    }
  }
  return sum;
}

std::vector<bool> Terms::used_by(uint32_t root) const {
  std::vector<bool> used(terms_.size(), false);
  used[root] = true;
  for (uint32_t term = root + 1; term-- > 0;) {
    for (const uint32_t operand : terms_[term].operand) {
      if (used[term] && operand != none) {
        used[operand] = true;
      }
    }
  }
  return used;
}

Value Terms::emit(uint32_t root) {
  if (terms_[root].op == MapOp::input) {
    return values_[terms_[root].external];
  }
  const std::vector<bool> used = used_by(root);
  std::vector<Extent> extents(root + 1);
  for (uint32_t term = 0; term <= root; ++term) {
    if (used[term]) {
      extents[term] = extent(term, extents);
    }
  }
  const bool fits = extents[root].nodes <= limits::map_nodes_max &&
                    extents[root].inputs.size() <= limits::map_inputs_max;
  return fits ? emit_map(root) : cut(root, used);
}

/// Goes up the terms and turns each that is large into a value of its own, read as an input from
/// there on. Works on a copy: the terms themselves keep their meaning for the next gradient.
Value Terms::cut(uint32_t root, const std::vector<bool>& used) {
  Terms pieces(builder_);
  pieces.terms_ = terms_;
  pieces.values_ = values_;
  std::vector<Extent> extents(root + 1);
  for (uint32_t term = 0; term < root; ++term) {
    if (!used[term]) {
      continue;
    }
    extents[term] = pieces.extent(term, extents);
    const Extent& whole = extents[term];
    if ((whole.nodes > piece_nodes && !whole.inputs.empty()) ||
        whole.inputs.size() > piece_inputs) {
      const Value value = pieces.emit_map(term);
      const auto which = static_cast<uint32_t>(pieces.values_.size());
      pieces.values_.push_back(value);
      const DType type = terms_[term].type;
      pieces.terms_[term] = {MapOp::input, type, 0, which, {none, none, none}};
      extents[term] = {1, {term}};
    }
  }
  return pieces.emit_map(root);
}

Value Terms::emit_map(uint32_t root) {
  // Node before operands, last operand first: postfix, read backwards.
  law::MapAttr expression;
  std::vector<Value> inputs;
  std::vector<uint32_t> stack = {root};
  while (!stack.empty()) {
    const Term& term = terms_[stack.back()];
    stack.pop_back();
    law::MapNode node = op_node(term.op);
    if (term.op == MapOp::constant || term.op == MapOp::cast || term.op == MapOp::bitcast) {
      node.type = term.type;
      node.bits = term.bits;
    } else if (term.op == MapOp::input) {
      const Value value = values_[term.external];
      const auto found = std::ranges::find(inputs, value);
      node.arg = static_cast<uint8_t>(found - inputs.begin());
      if (found == inputs.end()) {
        inputs.push_back(value);
      }
    }
    expression.nodes.push_back(node);
    for (const uint32_t operand : term.operand) {
      if (operand != none) {
        stack.push_back(operand);
      }
    }
    if (expression.nodes.size() > limits::map_nodes_max) {
      return builder_.fail(
          refuse(Code::not_differentiable, "map: the derivative has too many nodes"));
    }
  }
  std::ranges::reverse(expression.nodes);
  return builder_.map(std::move(expression), inputs);
}

/// One map record and the adjoints of its terms.
class Derivation {
 public:
  Derivation(Builder& builder, const MapCall& call)
      : builder_(builder), call_(call), terms_(builder) {}
  std::vector<Value> run();

 private:
  void read_expression();
  void mark_carriers();
  void back(uint32_t term);
  bool back_binary(const Term& term, uint32_t self, uint32_t d);
  bool back_unary(const Term& term, uint32_t self, uint32_t d);
  bool back_function(const Term& term, uint32_t self, uint32_t d);
  bool back_ternary(const Term& term, uint32_t d);
  void give(uint32_t term, uint32_t gradient);
  /// `d` where `condition`, +0 elsewhere; or the other way round.
  uint32_t where(uint32_t condition, uint32_t d) {
    return terms_.apply(MapOp::select, condition, d, terms_.constant(0.0F));
  }
  uint32_t where_not(uint32_t condition, uint32_t d) {
    return terms_.apply(MapOp::select, condition, terms_.constant(0.0F), d);
  }
  /// The value of a term: the record's output is read again rather than computed again.
  uint32_t value_of(uint32_t term) {
    if (term != root_) {
      return term;
    }
    y_ = y_ == none ? terms_.external(call_.y) : y_;
    return y_;
  }

  Builder& builder_;
  const MapCall& call_;
  Terms terms_;
  std::vector<uint32_t> inputs_;   // the term of each input
  std::vector<bool> carries_;      // by term of the expression: leads to a wanted input
  std::vector<uint32_t> adjoint_;  // the same: its gradient so far
  uint32_t root_ = none, y_ = none;
};

void Derivation::read_expression() {
  for (const Value input : call_.inputs) {
    inputs_.push_back(terms_.external(input));
  }
  std::vector<uint32_t> stack;
  for (const law::MapNode& node : call_.expression.nodes) {
    Term term{node.op, node.type, node.bits, 0, {none, none, none}};
    const auto pops = static_cast<size_t>(arity(node.op).value_or(0));
    for (size_t i = 0; i < pops; ++i) {
      term.operand[i] = stack[stack.size() - pops + i];
    }
    stack.resize(stack.size() - pops);
    if (node.op == MapOp::input) {
      stack.push_back(inputs_[node.arg]);
    } else if (pops == 0 || node.op == MapOp::cast || node.op == MapOp::bitcast) {
      stack.push_back(terms_.intern(term));
    } else {
      stack.push_back(terms_.apply(node.op, term.operand[0], term.operand[1], term.operand[2]));
    }
  }
  root_ = stack.back();
}

/// Integers and bools carry no gradient: a cast from an integer and a comparison stop it.
void Derivation::mark_carriers() {
  carries_.assign(terms_.size(), false);
  adjoint_.assign(terms_.size(), none);
  for (uint32_t i = 0; i < inputs_.size(); ++i) {
    carries_[inputs_[i]] = call_.wanted[i] && is_float(terms_.at(inputs_[i]).type);
  }
  for (uint32_t term = 0; term < carries_.size(); ++term) {
    if (!is_float(terms_.at(term).type)) {
      continue;
    }
    for (const uint32_t operand : terms_.at(term).operand) {
      if (operand != none && carries_[operand]) {
        carries_[term] = true;
      }
    }
  }
}

void Derivation::give(uint32_t term, uint32_t gradient) {
  if (carries_[term]) {
    const uint32_t before = adjoint_[term];
    adjoint_[term] = before == none ? gradient : terms_.apply(MapOp::add, before, gradient);
  }
}

/// Where a maximum or minimum is a tie, or one operand is NaN, the whole gradient goes to the
/// second operand: relu(x) = maximum(x, +0) has the derivative +0 at 0 and at NaN.
bool Derivation::back_binary(const Term& term, uint32_t self, uint32_t d) {
  const uint32_t a = term.operand[0];
  const uint32_t b = term.operand[1];
  switch (term.op) {
    case MapOp::add:
      give(b, d);
      give(a, d);
      return true;
    case MapOp::subtract:
      give(b, terms_.apply(MapOp::negate, d));
      give(a, d);
      return true;
    case MapOp::multiply:
      give(b, terms_.apply(MapOp::multiply, d, a));
      give(a, terms_.apply(MapOp::multiply, d, b));
      return true;
    case MapOp::divide: {
      const uint32_t share = terms_.apply(MapOp::divide, d, b);
      if (carries_[b]) {
        const uint32_t product = terms_.apply(MapOp::multiply, share, value_of(self));
        give(b, terms_.apply(MapOp::negate, product));
      }
      give(a, share);
      return true;
    }
    case MapOp::maximum:
    case MapOp::minimum: {
      const uint32_t first = term.op == MapOp::maximum ? terms_.apply(MapOp::less, b, a)
                                                       : terms_.apply(MapOp::less, a, b);
      give(b, where_not(first, d));
      give(a, where(first, d));
      return true;
    }
    default:
      return false;
  }
}

bool Derivation::back_unary(const Term& term, uint32_t self, uint32_t d) {
  const uint32_t a = term.operand[0];
  switch (term.op) {
    case MapOp::cast:  // f32 to f32
      give(a, d);
      return true;
    case MapOp::negate:
      give(a, terms_.apply(MapOp::negate, d));
      return true;
    case MapOp::absolute: {  // +0 at 0
      const uint32_t zero = terms_.constant(0.0F);
      const uint32_t minus =
          where(terms_.apply(MapOp::less, a, zero), terms_.apply(MapOp::negate, d));
      const uint32_t positive = terms_.apply(MapOp::less, zero, a);
      give(a, terms_.apply(MapOp::select, positive, d, minus));
      return true;
    }
    default:
      return back_function(term, self, d);
  }
}

/// The functions on f32. Where a derivative has a pole (log, square_root and its reciprocal at 0)
/// it is infinite; where a function has run into its limit the derivative is zero, not NaN.
bool Derivation::back_function(const Term& term, uint32_t self, uint32_t d) {
  const uint32_t a = term.operand[0];
  const auto multiply = [this](uint32_t x, uint32_t y) {
    return terms_.apply(MapOp::multiply, x, y);
  };
  const auto give_times = [&](uint32_t factor) { give(a, multiply(d, factor)); };
  switch (term.op) {
    case MapOp::square_root: {
      const uint32_t root = value_of(self);
      give(a, terms_.apply(MapOp::divide, d, terms_.apply(MapOp::add, root, root)));
      return true;
    }
    case MapOp::exp:
      give_times(value_of(self));
      return true;
    case MapOp::log:
      give(a, terms_.apply(MapOp::divide, d, a));
      return true;
    case MapOp::sin:
      give_times(terms_.apply(MapOp::cos, a));
      return true;
    case MapOp::cos: {
      give(a, terms_.apply(MapOp::negate, multiply(d, terms_.apply(MapOp::sin, a))));
      return true;
    }
    case MapOp::tanh: {  // 1 − t², one rounding
      const uint32_t t = value_of(self);
      const uint32_t minus = terms_.apply(MapOp::negate, t);
      give_times(terms_.apply(MapOp::fma, minus, t, terms_.constant(1.0F)));
      return true;
    }
    case MapOp::erf: {  // 2/√π·exp(−x²), +0 at ±inf
      const uint32_t minus = terms_.apply(MapOp::negate, a);
      const uint32_t bell = terms_.apply(MapOp::exp, multiply(minus, a));
      give_times(multiply(terms_.constant(0x1.20dd76p+0F), bell));
      return true;
    }
    case MapOp::sigmoid: {  // s·(1 − s)
      const uint32_t s = value_of(self);
      give_times(multiply(s, terms_.apply(MapOp::subtract, terms_.constant(1.0F), s)));
      return true;
    }
    case MapOp::reciprocal_square_root: {  // −(y/2)/x, a zero at inf
      const uint32_t y = value_of(self);
      const uint32_t half = multiply(terms_.constant(-0.5F), y);
      give_times(terms_.apply(MapOp::divide, half, a));
      return true;
    }
    default:
      return false;
  }
}

bool Derivation::back_ternary(const Term& term, uint32_t d) {
  const auto [a, b, c] = term.operand;
  if (term.op == MapOp::fma) {
    give(c, d);
    give(b, terms_.apply(MapOp::multiply, d, a));
    give(a, terms_.apply(MapOp::multiply, d, b));
    return true;
  }
  if (term.op == MapOp::select) {
    give(c, where_not(a, d));
    give(b, where(a, d));
    return true;
  }
  return false;
}

void Derivation::back(uint32_t term) {
  const Term self = terms_.at(term);  // a copy: terms grow
  const uint32_t d = adjoint_[term];
  if (d == none || self.op == MapOp::input || self.op == MapOp::constant) {
    return;
  }
  bool known = self.type == DType::f32;
  for (const uint32_t operand : self.operand) {
    known =
        known && (operand == none || !carries_[operand] || terms_.at(operand).type == DType::f32);
  }
  if (known) {
    known = self.operand[1] == none   ? back_unary(self, term, d)
            : self.operand[2] == none ? back_binary(self, term, d)
                                      : back_ternary(self, d);
  }
  if (!known) {
    builder_.fail(refuse(Code::not_differentiable,
                         "map: no derivative of node " + std::to_string(static_cast<int>(self.op)) +
                             " on " + law::name_of(self.type)));
  }
}

std::vector<Value> Derivation::run() {
  read_expression();
  mark_carriers();
  std::vector<Value> gradients(call_.inputs.size());
  if (!carries_[root_]) {
    return gradients;
  }
  adjoint_[root_] = terms_.external(call_.dy);
  for (uint32_t term = root_ + 1; term-- > 0;) {
    back(term);
  }
  for (size_t i = 0; i < gradients.size(); ++i) {
    const uint32_t gradient = adjoint_[inputs_[i]];
    if (call_.wanted[i] && gradient != none) {
      gradients[i] = terms_.emit(gradient);
    }
  }
  return gradients;
}

}  // namespace

std::vector<Value> map_gradients(Builder& builder, const MapCall& call) {
  return Derivation(builder, call).run();
}

}  // namespace lockstep::graph
