#include "tests/bench/figures.h"

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

namespace pons::bench {
namespace {

std::string number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, value < 10 ? "%.2f" : value < 1000 ? "%.1f" : "%.0f", value);
  return text;
}

std::string padded(const std::string& text, std::size_t width) { return text + std::string(width - std::min(width, text.size()), ' '); }

std::string right(const std::string& text, std::size_t width) { return std::string(width - std::min(width, text.size()), ' ') + text; }

bool reached(const Figure& figure) {
  const double ratio = ratio_of(figure).median;
  switch (figure.goal->first) {
    case Goal::at_most:
      return ratio <= figure.goal->second;
    case Goal::at_least:
      return ratio >= figure.goal->second;
  }
  return false;
}

std::string spread(const Series& series) {
  return number(quantile(series.values, 0.5)) + " [" + number(quantile(series.values, 0.25)) + " " + number(quantile(series.values, 0.75)) +
         "]";
}

std::string line_of(const Figure& figure) {
  std::string line = padded(figure.name, 42) + padded(figure.unit, 11) + right(spread(figure.measured), 23);
  if (!figure.reference) return line;
  const Ratio ratio = ratio_of(figure);
  line +=
      right(spread(*figure.reference), 23) + right(number(ratio.median), 8) + " [" + number(ratio.lower) + " " + number(ratio.upper) + "]";
  if (figure.goal) {
    line += figure.goal->first == Goal::at_most ? "  <= " : "  >= ";
    line += number(figure.goal->second) + (reached(figure) ? "  ok" : "  miss");
  }
  return line;
}

nlohmann::json json_of(const Series& series) {
  return {{"name", series.name},
          {"median", quantile(series.values, 0.5)},
          {"q1", quantile(series.values, 0.25)},
          {"q3", quantile(series.values, 0.75)},
          {"rounds", series.values.size()}};
}

nlohmann::json json_of(const Figure& figure) {
  nlohmann::json entry{{"name", figure.name}, {"unit", figure.unit}, {"measured", json_of(figure.measured)}};
  if (figure.reference) {
    const Ratio ratio = ratio_of(figure);
    entry["reference"] = json_of(*figure.reference);
    entry["ratio"] = {{"median", ratio.median}, {"q1", ratio.lower}, {"q3", ratio.upper}};
  }
  if (figure.goal) {
    entry["goal"] = {{figure.goal->first == Goal::at_most ? "at_most" : "at_least", figure.goal->second}, {"ok", reached(figure)}};
  }
  for (const Series& series : figure.information) entry["information"].push_back(json_of(series));
  return entry;
}

}  // namespace

double quantile(std::vector<double> values, double q) {
  std::sort(values.begin(), values.end());
  const double place = q * static_cast<double>(values.size() - 1);
  const auto below = static_cast<std::size_t>(place);
  const std::size_t above = std::min(below + 1, values.size() - 1);
  return values[below] + (place - static_cast<double>(below)) * (values[above] - values[below]);
}

std::vector<Series> in_turns(int rounds, const std::vector<Contestant>& contestants) {
  std::vector<Series> series;
  for (const Contestant& contestant : contestants) series.push_back({contestant.name, {}});
  for (std::size_t round = 0; round < static_cast<std::size_t>(rounds); ++round) {
    for (std::size_t turn = 0; turn < contestants.size(); ++turn) {
      const std::size_t which = (round + turn) % contestants.size();
      series[which].values.push_back(contestants[which].batch());
    }
  }
  return series;
}

Ratio ratio_of(const Figure& figure) {
  std::vector<double> ratios;
  for (std::size_t i = 0; i < figure.measured.values.size(); ++i) {
    ratios.push_back(figure.measured.values[i] / figure.reference->values[i]);
  }
  return {quantile(ratios, 0.5), quantile(ratios, 0.25), quantile(ratios, 0.75)};
}

std::string as_text(const std::vector<Figure>& figures) {
  std::string text = padded("median [quartiles]", 42) + padded("unit", 11) + right("pons", 23) + right("reference", 23) +
                     right("ratio", 8) + " [quartiles]  goal\n";
  for (const Figure& figure : figures) {
    text += line_of(figure) + "\n";
    for (const Series& series : figure.information) text += padded("    " + series.name, 53) + right(spread(series), 23) + "\n";
  }
  return text;
}

std::string as_json(const std::vector<Figure>& figures) {
  nlohmann::json list = nlohmann::json::array();
  for (const Figure& figure : figures) list.push_back(json_of(figure));
  return nlohmann::json{{"figures", list}}.dump();
}

}  // namespace pons::bench
