#!/bin/sh
echo "tab	and trailing  "

