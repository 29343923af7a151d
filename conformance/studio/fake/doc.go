// Command fake serves the studio with as much of the API as the page uses, and no
// model: reading takes as long as it is told to, and an answer is the sentence with
// most of the question's words. The studio's tests run against it where no
// handscroll binary is given, and to see what a real server rarely does: a full
// queue, a key that is asked for, a connection that is lost.
package main
