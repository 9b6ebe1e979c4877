// What was measured, and how it is told.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace pons::bench {

/// The q-quantile, 0 <= q <= 1, between neighbours in proportion. `values` must not be empty.
double quantile(std::vector<double> values, double q);

/// One of those that take turns. A batch returns one figure: the median of its round trips, a rate, ...
struct Contestant {
  std::string name;
  std::function<double()> batch;
};

/// One figure a round.
struct Series {
  std::string name;
  std::vector<double> values;
};

/// Runs every contestant once a round. Each round begins with the next one, so that none always follows the same.
std::vector<Series> in_turns(int rounds, const std::vector<Contestant>& contestants);

enum class Goal { at_most, at_least };

/// A figure of the project beside its reference.
struct Figure {
  std::string name;
  std::string unit;
  Series measured;
  std::optional<Series> reference;              ///< of the same rounds
  std::optional<std::pair<Goal, double>> goal;  ///< for the ratio
  std::vector<Series> information;              ///< others that took turns with them
};

/// The ratio measured / reference is the median of the rounds' ratios, which machine noise that lasts longer than a round does not move;
/// beside it stand the quartiles of the rounds' ratios.
struct Ratio {
  double median, lower, upper;
};
Ratio ratio_of(const Figure& figure);

std::string as_text(const std::vector<Figure>& figures);
/// One line of JSON.
std::string as_json(const std::vector<Figure>& figures);

}  // namespace pons::bench
