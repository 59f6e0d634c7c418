#!/usr/bin/env python3
"""Print "PASSED FAILED" for JUnit files written by ctest. A test that was skipped, disabled or not run
counts as failed: nothing but a pass is a pass.  Usage: tally.py FILE..."""
import sys
import xml.etree.ElementTree as ElementTree

passed = failed = 0
for path in sys.argv[1:]:
    for case in ElementTree.parse(path).getroot().iter('testcase'):
        if case.get('status') == 'run':
            passed += 1
        else:
            failed += 1
print(passed, failed)
