package applet

import (
	"fmt"
	"os"
)

func env([]string) int {
	for _, e := range os.Environ() {
		fmt.Println(e)
	}
	return 0
}

func id([]string) int {
	groups, err := os.Getgroups()
	if err != nil {
		return fail(err)
	}
	fmt.Printf("uid=%d gid=%d groups=%d\n", os.Getuid(), os.Getgid(), groups)
	return 0
}

func pwd([]string) int {
	dir, err := os.Getwd()
	if err != nil {
		return fail(err)
	}
	fmt.Println(dir)
	return 0
}
