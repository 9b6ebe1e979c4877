// Says of each line "VERSION<TAB>VERSION<TAB>CONDITION" how the two are ordered and whether the condition allows the first; for
// pep440_against_packaging.py.
#include <iostream>
#include <sstream>
#include <string>

#include "host/environment/pep440.h"

int main() {
  std::string line;
  while (std::getline(std::cin, line)) {
    std::istringstream words(line);
    std::string first;
    std::string second;
    std::string text;
    std::getline(words, first, '\t');
    std::getline(words, second, '\t');
    std::getline(words, text);
    const auto a = pons::PythonVersion::parse(first);
    const auto b = pons::PythonVersion::parse(second);
    if (!a || !b) {
      std::cout << "-\n";
      continue;
    }
    const auto condition = pons::VersionCondition::parse(text);
    std::cout << (*a < *b ? "<" : *a > *b ? ">" : "=") << (!condition ? " -" : condition->allows(*a) ? " yes" : " no") << "\n";
  }
}
